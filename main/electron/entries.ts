/**
 * The one way in from Electron. Keys, native menus and window events reach JavaScript from the system's own loop, not
 * as a task of Chromium. Afterwards nothing runs what the handler has left behind: promise continuations lie until
 * something else enters JavaScript, for up to 15 s in an idle app (docs/decisions/0014-one-way-in-from-electron.md).
 * So each handler that Electron is given is an `entry`: it makes the event loop turn once after the handler.
 */

/** On every entry. Of the whole process, because the double looks at entries of a bundle as well. */
const mark = Symbol.for('loupe.entry');

/** The handler, after which the loop turns. Goes around every function that is handed to Electron; ESLint and the double hold it. */
export function entry<Given extends unknown[], Result>(handler: (...given: Given) => Result): (...given: Given) => Result {
  const entered = (...given: Given): Result => {
    // Before the handler, so that one that throws is followed by its turn, too.
    turn();
    return handler(...given);
  };
  return Object.assign(entered, { [mark]: true });
}

/**
 * What Electron promises may be answered from the system's loop as well, as by a dialog: until it is, the loop turns now and then.
 * Older Electrons answer at once what later ones promise.
 */
export async function answer<Value>(promised: Promise<Value> | Value): Promise<Value> {
  const turning = setInterval(() => {}, turnEveryMs);
  try {
    return await promised;
  } finally {
    clearInterval(turning);
  }
}

/** Whether a function came from `entry`: for the double, which takes no other. */
export function isEntry(handler: object): boolean {
  return mark in handler;
}

const turnEveryMs = 50;

/** Electron's `setImmediate` wakes the loop; a promise does not. */
function turn(): void {
  setImmediate(() => {});
}
