/** The engine and the picture decoder as Electron utility processes: the same messages as a forked Node. */
import type { UtilityProcess } from 'electron';
import type { HostProcess } from '../engine/channel.ts';
import { entry } from './entries.ts';

export interface UtilityHostOptions {
  fork: (entry: string, args: string[], options: { stdio: ('ignore' | 'pipe')[]; serviceName: string; env: Record<string, string> }) => UtilityProcess;
  entry: string;
  /** As the system's process list shows it. */
  name: string;
  env: NodeJS.ProcessEnv;
}

const lastWordsLength = 2000;
/** How long the end of stderr may come after the end of the process, ms. */
const lastWordsPatience = 250;

export function startUtilityHost({ fork, entry: script, name, env }: UtilityHostOptions): HostProcess {
  const child = fork(script, [], { stdio: ['ignore', 'ignore', 'pipe'], serviceName: name, env: definedOnly(env) });
  let alive = true;
  let lastWords = '';
  let fatal = '';
  const stderrEnded = Promise.withResolvers<void>();
  child.stderr?.on('data', entry((chunk: Buffer) => {
    lastWords = (lastWords + chunk.toString('utf8')).slice(-lastWordsLength);
  }));
  child.stderr?.on('end', entry(() => stderrEnded.resolve()));
  if (!child.stderr) stderrEnded.resolve();
  child.on('error', entry((type, location) => {
    fatal = `${type} in ${location}`;
  }));
  child.on('exit', entry(() => {
    alive = false;
  }));
  return {
    send: (message) => {
      if (alive) child.postMessage(message);
    },
    onMessage: (listener) => void child.on('message', entry(listener)),
    onExit: (listener) =>
      void child.on('exit', entry((code) => {
        setTimeout(stderrEnded.resolve, lastWordsPatience);
        void stderrEnded.promise.then(() => listener({ code, signal: null, lastWords: lastWords.trim() || fatal }));
      })),
    kill: () => void child.kill(),
  };
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined));
}
