/** What a start of Loupe asks for: by its arguments, by a link, by a file, or by a second start that hands over to the first. */
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { scheme } from './options.ts';

/** Of one start. */
export const mostPaths = 16;
const pathSchema = v.pipe(v.string(), v.maxLength(4096), v.excludes('\0'), v.check(isAbsolute));

const intentSchema = v.variant('kind', [
  v.strictObject({ kind: v.literal('show'), conversationId: v.nullable(v.pipe(v.number(), v.safeInteger(), v.minValue(1))) }),
  v.strictObject({ kind: v.literal('capture'), mode: v.picklist(['region', 'display', 'last']) }),
  v.strictObject({ kind: v.literal('hidden') }),
  /** `leftOut`: how many more files were named. */
  v.strictObject({
    kind: v.literal('open'),
    paths: v.pipe(v.array(pathSchema), v.minLength(1), v.maxLength(mostPaths)),
    leftOut: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  }),
]);

export type Intent = v.InferOutput<typeof intentSchema>;

const show: Intent = { kind: 'show', conversationId: null };

/**
 * `--capture[=region|display|last]`, `--hidden`, a link, or files to ask about; anything else shows the window. `directory`: what
 * relative paths start from. Behind `--` nothing is an option; before it, nothing that begins with "-" is a file.
 */
export function intentOfArguments(args: readonly string[], directory: string): Intent {
  const ended = args.indexOf('--');
  const before = ended < 0 ? args : args.slice(0, ended);
  for (const argument of before) {
    if (argument === '--hidden') return { kind: 'hidden' };
    if (argument === '--capture') return { kind: 'capture', mode: 'region' };
    const [, mode] = /^--capture=(.*)$/.exec(argument) ?? [];
    if (mode === 'region' || mode === 'display' || mode === 'last') return { kind: 'capture', mode };
    const linked = intentOfLink(argument);
    if (linked) return linked;
  }
  const rest = [...before.filter((argument) => !argument.startsWith('-')), ...args.slice(before.length + 1)];
  // What a web page puts into a link may reach us as several arguments, where a system takes quotes in it for its own.
  const link = args.find(isOurLink);
  if (link !== undefined) return intentOfLink(link) ?? show;
  return intentOfPaths(rest.map((argument) => pathOf(argument, directory)));
}

/** Of a file that the system hands over by an event (macOS). */
export function intentOfFile(path: string): Intent {
  return intentOfPaths([path]);
}

function intentOfPaths(given: readonly (string | null)[]): Intent {
  const paths = [...new Set(given.filter((path) => v.is(pathSchema, path)))];
  if (paths.length === 0) return show;
  return { kind: 'open', paths: paths.slice(0, mostPaths), leftOut: Math.max(0, paths.length - mostPaths) };
}

/** Desktops name files by path or by address. Null for what names no file of this computer. */
function pathOf(argument: string, directory: string): string | null {
  if (argument === '') return null;
  if (!/^([a-z][a-z\d+.-]+:\/\/|file:)/i.test(argument)) return resolve(directory, argument);
  try {
    const url = new URL(argument);
    return url.protocol === 'file:' && url.host === '' ? fileURLToPath(url) : null;
  } catch {
    return null;
  }
}

function isOurLink(argument: string): boolean {
  return argument.trimStart().toLowerCase().startsWith(`${scheme}:`);
}

/**
 * `loupe://open`, `loupe://conversation/12`, `loupe://capture`. Web pages can open links, so that
 * none takes a picture without the person choosing the region, and none opens a file. Null for what is no link of ours.
 */
export function intentOfLink(link: string): Intent | null {
  const url = URL.canParse(link) ? new URL(link) : null;
  if (url?.protocol !== `${scheme}:`) return null;
  if (url.host === 'capture') return { kind: 'capture', mode: 'region' };
  if (url.host === 'open') return show;
  const [, number] = url.host === 'conversation' ? (/^\/(\d{1,15})$/.exec(url.pathname) ?? []) : [];
  return parseIntent({ kind: 'show', conversationId: Number(number) });
}

/** The window stays away at the first start if the person or the session wants it so, unless something else was asked for. */
export function firstIntent(intent: Intent, { atLogin, minimised }: { atLogin: boolean; minimised: boolean }): Intent {
  const isPlain = intent.kind === 'show' && intent.conversationId === null;
  return isPlain && (atLogin || minimised) ? { kind: 'hidden' } : intent;
}

/** What another process handed over; null when it is not understood. */
export function parseIntent(value: unknown): Intent | null {
  const result = v.safeParse(intentSchema, value);
  return result.success ? result.output : null;
}
