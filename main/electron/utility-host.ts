/** The engine and the picture decoder as Electron utility processes: the same messages as a forked Node. */
import type { UtilityProcess } from 'electron';
import type { HostProcess } from '../process/channel.ts';
import { beatEnvironment, readBeats, type Beat } from '../process/lifeline.ts';
import { joinPieces } from '../process/pieces.ts';
import { entry } from './entries.ts';

export interface UtilityHostOptions {
  fork: (
    entry: string,
    args: string[],
    options: { stdio: ('ignore' | 'pipe')[]; serviceName: string; env: Record<string, string> },
  ) => UtilityProcess;
  entry: string;
  /** As the system's process list shows it. */
  name: string;
  env: NodeJS.ProcessEnv;
  log: (what: string) => void;
}

const lastWordsLength = 2000;
/** How long the end of stderr may come after the end of the process, ms. */
const lastWordsPatience = 250;

export function startUtilityHost({ fork, entry: script, name, env, log }: UtilityHostOptions): HostProcess {
  const child = fork(script, [], {
    stdio: ['ignore', 'pipe', 'pipe'],
    serviceName: name,
    env: { ...definedOnly(env), [beatEnvironment.parent]: String(process.pid) },
  });
  const listeners: ((beat: Beat) => void)[] = [];
  child.stdout?.on(
    'data',
    entry((bytes: Uint8Array) => {
      for (const beat of readBeats(bytes)) for (const listener of listeners) listener(beat);
    }),
  );
  let alive = true;
  let isEnding = false;
  let lastWords = '';
  let fatal = '';
  const stderrEnded = Promise.withResolvers<void>();
  child.stderr?.on(
    'data',
    entry((chunk: Buffer) => {
      lastWords = (lastWords + chunk.toString('utf8')).slice(-lastWordsLength);
    }),
  );
  child.stderr?.on(
    'end',
    entry(() => stderrEnded.resolve()),
  );
  if (!child.stderr) stderrEnded.resolve();
  child.on(
    'error',
    entry((type, location) => {
      fatal = `${type} in ${location}`;
    }),
  );
  child.on(
    'exit',
    entry((code) => {
      alive = false;
      if (!isEnding && code !== 0) log(`the process ${name} ended with code ${code}`);
    }),
  );
  return {
    get pid() {
      return child.pid;
    },
    send: (message) => {
      if (alive) child.postMessage(message);
    },
    onMessage: (listener) => void child.on('message', entry(joinPieces(listener))),
    onExit: (listener) =>
      void child.on(
        'exit',
        entry((code) => {
          setTimeout(stderrEnded.resolve, lastWordsPatience);
          void stderrEnded.promise.then(() => listener({ code, signal: null, lastWords: lastWords.trim() || fatal }));
        }),
      ),
    onBeat: (listener) => void listeners.push(listener),
    kill() {
      isEnding = true;
      // Electron asks politely, which a process that is stopped does not hear; it is left to clear up.
      if (alive && child.pid !== undefined) endNow(child.pid);
      child.kill();
    },
  };
}

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined));
}
