/** The chat over an engine's process that can be made to stand still anywhere. What is measured is from then to the next answer. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { defaultSettings, type EventMessage, type Message, type Picture } from '../../contract.ts';
import { createChat } from '../../services/chat/chat.ts';
import { createEngineService, type EngineService } from '../../services/engine-service.ts';
import type { Engine, EngineLoss, Store } from '../../services/ports.ts';
import { openStore } from '../../storage/store.ts';
import { forkHost, type HostProcess } from '../../process/channel.ts';
import { createEngineClient } from '../client.ts';
import { forkHaltingHost } from './halting-engine.ts';
import { beatEnvironment } from '../../process/lifeline.ts';
import type { Limits } from '../limits.ts';

export const addonDouble = fileURLToPath(new URL('./addon-double.cjs', import.meta.url));
export const demo = fileURLToPath(new URL('../../../resources/demo-model/', import.meta.url));
/** Of the double. */
export const wholeAnswer = 'Grüße, 世界!';

/** The whole process, its main thread, or only what was asked of it. */
export type How = 'stop' | 'spin' | 'never';

export interface Stop {
  at: string;
  how: How;
  /** What the person does meanwhile: waits, or stops the answer and asks again. */
  person: 'waits' | 'asks again';
}

const anyHow: How[] = ['stop', 'spin', 'never'];
const places: { at: string; hows: How[]; stoppable?: boolean }[] = [
  { at: 'start', hows: ['stop', 'spin'] },
  { at: 'devices', hows: anyHow },
  { at: 'request devices', hows: ['stop', 'spin'] },
  { at: 'open', hows: anyHow },
  { at: 'request estimate', hows: ['stop', 'spin'] },
  { at: 'estimate', hows: anyHow },
  { at: 'request load', hows: ['stop', 'spin'] },
  { at: 'load', hows: anyHow },
  { at: 'request countTokens', hows: ['stop', 'spin'], stoppable: true },
  { at: 'request generate', hows: ['stop', 'spin'], stoppable: true },
  { at: 'encode', hows: anyHow, stoppable: true },
  { at: 'prefill', hows: anyHow, stoppable: true },
  { at: 'decode', hows: anyHow, stoppable: true },
];

export const allStops: Stop[] = places.flatMap(({ at, hows, stoppable }) =>
  hows.flatMap((how): Stop[] => [{ at, how, person: 'waits' }, ...(stoppable ? [{ at, how, person: 'asks again' } as const] : [])]),
);

export interface Outcome {
  /** Of the answer that the person waits for in the end. */
  answer: Message;
  /** Of the one that was stopped. */
  stopped: Message | null;
  losses: EngineLoss[];
  /** Processes that were started. */
  spawned: number;
  /** From the moment when it stood still to the end of the answer. */
  ms: number;
}

export interface Bench {
  engine: EngineService;
  port: Engine;
  /** An answer without any stop. */
  ask(text?: string, picture?: string | null): Promise<Message>;
  stand(stop: Stop): Promise<Outcome>;
  /** From the end of a process to an answer of the next, ms: what a hang costs beside noticing it. */
  restart(): Promise<number>;
  /** As `ask`, and the process stops in the middle of it. For the real engine. */
  askAndStop(text: string, picture: string): Promise<Message & { losses: EngineLoss[] }>;
  /** Where the process will stand still, once. */
  set(fuse: { at: string; how: string }): void;
  /** Of the process that runs. */
  pid(): number;
  close(): Promise<void>;
}

const demoChoice = { id: 'demo', name: 'Double', kind: 'demo', bytes: 1, present: true } as const;

/** `real`: the engine itself in place of the double. `environment`: more of it, for each process that is started. */
export function openBench(
  limits: Limits | undefined,
  { real = false, environment = () => ({}) }: { real?: boolean; environment?: () => NodeJS.ProcessEnv } = {},
): Bench {
  const directory = mkdtempSync(join(tmpdir(), 'loupe-still-'));
  const fuse = join(directory, 'fuse');
  const halt = join(directory, 'halt');
  const store = openStore(join(directory, 'data'));
  // An answer that continues must end as it would have without the interruption.
  store.saveSettings({ temperature: 0 });
  const losses: EngineLoss[] = [];
  const hosts: HostProcess[] = [];
  let onEvent = (_: EventMessage): void => {};
  const port = createEngineClient({
    spawn: () => {
      const surroundings = { ...environmentOf(limits, real ? null : fuse), ...environment() };
      hosts.push(real ? forkHaltingHost({ halt, ...surroundings }) : forkHost({ env: surroundings }));
      return hosts.at(-1)!;
    },
    ...(limits && { limits }),
  });
  port.onLost((loss) => losses.push(loss));
  const engine = createEngineService({
    engine: port,
    settings: () => ({ ...defaultSettings, ...store.settings() }),
    model: () => ({ choice: demoChoice, place: async () => ({ directory: demo }) }),
    onChange: () => {},
  });
  const chat = createChat({
    store,
    engine,
    showPage: () => Promise.reject(new Error('No page is looked at here.')),
    emit: (event) => onEvent(event),
    checkpointMs: 20,
  });

  function send(text: string, picture: string | null): Message {
    const pictures = picture === null ? [] : [addPicture(store, picture).hash];
    return chat.send({ conversationId: null, parentId: null, text, pictures, scope: null }).answer;
  }

  function ended(sent: Message): Promise<Message> {
    return new Promise((resolve) => {
      const look = (): void => {
        const { state } = store.conversations.message(sent.id);
        if (state !== 'streaming') resolve(store.conversations.message(sent.id));
      };
      const before = onEvent;
      onEvent = (event) => {
        before(event);
        if (event.event === 'message.changed') look();
      };
      look();
    });
  }

  const set = ({ at, how }: { at: string; how: string }): void => writeFileSync(fuse, JSON.stringify({ at, how }));

  /** What reaches the place. The process that runs is of no use where a fresh one has to get there. */
  function approach({ at }: Stop): Promise<unknown> {
    if (at.endsWith('devices')) return engine.devices().catch((error: unknown) => error);
    if (!['start', 'open', 'estimate', 'load', 'request estimate', 'request load'].includes(at)) return Promise.resolve();
    hosts.at(-1)?.kill();
    return engine.load();
  }

  return {
    engine,
    port,
    set,
    pid: () => hosts.at(-1)!.pid!,
    ask(text = 'Hello?', picture = null) {
      onEvent = () => {};
      return ended(send(text, picture));
    },
    async restart() {
      const host = hosts.at(-1)!;
      const exited = new Promise<void>((resolve) => host.onExit(() => resolve()));
      host.kill();
      await exited;
      const began = Date.now();
      onEvent = () => {};
      await ended(send('Hello?', null));
      return Date.now() - began;
    },
    async askAndStop(text, picture) {
      losses.length = 0;
      writeFileSync(halt, '');
      const sent = send(text, picture);
      // The process that takes its place does not stop.
      onEvent = ({ event }) => {
        if (event === 'answer.text') rmSync(halt, { force: true });
      };
      return { ...(await ended(sent)), losses: [...losses] };
    },
    async stand(stop) {
      onEvent = () => {};
      losses.length = 0;
      const before = hosts.length;
      set(stop);
      const approached = approach(stop);
      const first = send('Hello?', stop.at === 'encode' ? anyPicture : null);
      const stoodAt = await standsStill(fuse);
      let stopped: Message | null = null;
      let last = first;
      if (stop.person === 'asks again') {
        chat.stop(first.id);
        stopped = await ended(first);
        last = send('Hello again?', null);
      }
      const answer = await ended(last);
      const ms = Date.now() - stoodAt;
      await approached;
      return { answer, stopped, losses: [...losses], spawned: hosts.length - before, ms };
    },
    async close() {
      chat.close();
      await engine.close();
      store.close();
      rmSync(directory, { recursive: true });
    },
  };
}

/** `fuse` null: the real addon. */
function environmentOf(limits: Limits | undefined, fuse: string | null): NodeJS.ProcessEnv {
  return {
    ...(fuse === null ? {} : { LOUPE_ADDON: addonDouble, DOUBLE_FUSE: fuse }),
    ...(limits && { [beatEnvironment.beatMs]: String(limits.beatMs) }),
  };
}

/** Resolves with when it did, by the clock, ms. */
async function standsStill(fuse: string): Promise<number> {
  while (!existsSync(`${fuse}.burnt`)) await sleep(5);
  const at = Number(readFileSync(`${fuse}.burnt`, 'utf8'));
  rmSync(`${fuse}.burnt`);
  return at;
}

/** Of the demo model's samples. */
export const anyPicture = 'samples/train-font-05.png';

function addPicture(store: Store, path: string): Picture {
  const bytes = readFileSync(`${demo}${path}`);
  return store.pictures.add({
    bytes,
    name: 'sample.png',
    width: 100,
    height: 100,
    origin: { kind: 'paste' },
    thumbnail: new Uint8Array(1),
    display: null,
  });
}
