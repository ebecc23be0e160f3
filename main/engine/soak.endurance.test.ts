/**
 * Questions without end through the chat, the store and the real engine with the demo model: what they hold in memory does not grow.
 *
 *   LOUPE_REQUESTS   how many (default 300)
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { formatBytes } from '../contract.ts';
import { demo, openBench, type Bench } from './test/standing-still.ts';

const count = Number(process.env['LOUPE_REQUESTS'] ?? 300);
/** Until caches are filled and every kind of question was asked: pictures known and new, long and short. */
const warmUp = 60;
/** One in so many is about a picture. */
const pictureEvery = 6;
/** So that a run that is cut short has said something, too. */
const progressEvery = 250;
/** What the system gives a process and takes back as it likes. */
const slackBytes = 24e6;

interface Held {
  /** Of the device: weights, caches, activations; and what is mapped to reach it. */
  deviceBytes: number;
  hostVisibleBytes: number;
  /** Resident, of the engine's process and that of pictures together; null where the system does not say. */
  processBytes: number | null;
  /** Of JavaScript here, after a collection: chat, store and client. */
  heapBytes: number;
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Of the processes that this one has started. */
function childrenBytes(): number | null {
  if (process.platform !== 'linux') return null;
  const tasks = readdirSync('/proc/self/task');
  const children = tasks.flatMap((task) => readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean));
  const pages = children.map((pid) => Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]));
  return pages.reduce((sum, resident) => sum + resident, 0) * 4096;
}

async function look({ port }: Bench): Promise<Held> {
  const { deviceBytes, hostVisibleBytes } = await port.memory();
  collect();
  return { deviceBytes, hostVisibleBytes, processBytes: childrenBytes(), heapBytes: process.memoryUsage().heapUsed };
}

const samples = JSON.parse(readFileSync(`${demo}samples.json`, 'utf8')) as { image: string; question: string }[];
const long = 'And what else is there to be said of all of this? '.repeat(6);

async function ask(bench: Bench, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at++) {
    const { image, question } = samples[at % samples.length]!;
    const isAboutPicture = at % pictureEvery === 0;
    const text = isAboutPicture ? question : `${at}: ${at % 4 === 1 ? long : question}`;
    const { state, failure } = await bench.ask(text, isAboutPicture ? image : null);
    expect({ at, state, failure }).toEqual({ at, state: 'complete', failure: null });
    if (at % progressEvery === 0) console.log(`${at}: ${words(await look(bench))}`);
  }
}

const words = ({ deviceBytes, hostVisibleBytes, processBytes, heapBytes }: Held): string =>
  `device ${formatBytes(deviceBytes)}, mapped ${formatBytes(hostVisibleBytes)}, processes ` +
  `${processBytes === null ? 'not known here' : formatBytes(processBytes)}, heap of the app ${formatBytes(heapBytes)}`;

test(`memory stays flat over ${count} requests`, { timeout: 24 * 60 * 60_000 }, async ({ annotate }) => {
  const bench = openBench(undefined, { real: true });
  try {
    await ask(bench, 0, warmUp);
    const start = await look(bench);
    await ask(bench, warmUp, warmUp + Math.floor(count / 2));
    const middle = await look(bench);
    await ask(bench, warmUp + Math.floor(count / 2), warmUp + count);
    const end = await look(bench);
    for (const [name, held] of Object.entries({ start, middle, end })) {
      const line = `${name}: ${words(held)}`;
      await annotate(line);
      console.log(line);
    }
    for (const held of [middle, end]) {
      expect(held).toMatchObject({ deviceBytes: start.deviceBytes, hostVisibleBytes: start.hostVisibleBytes });
      expect(held.processBytes ?? 0).toBeLessThan((start.processBytes ?? 0) + slackBytes);
      expect(held.heapBytes).toBeLessThan(start.heapBytes + slackBytes);
    }
  } finally {
    await bench.close();
  }
});
