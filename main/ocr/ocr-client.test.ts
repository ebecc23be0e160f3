import { afterEach, expect, test, vi } from 'vitest';
import type { HostProcess } from '../process/channel.ts';
import type { TextRecogniser } from '../services/ports.ts';
import { createTextRecogniser } from './ocr-client.ts';
import type { OcrLimits, OcrReply, OcrRequest } from './ocr-process.ts';

const line = {
  before: '',
  text: 'Hello',
  confidence: 0.9,
  quad: [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ] as [[number, number], [number, number], [number, number], [number, number]],
  words: [],
};
const picture = (name: string): { source: { bytes: Uint8Array; name: string } } => ({ source: { bytes: new Uint8Array(1), name } });

interface Double {
  host: HostProcess;
  reply: (message: OcrReply) => void;
  exit: (lastWords?: string) => void;
  killed: boolean;
}

const open: TextRecogniser[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((recogniser) => recogniser.close()));
});

/** `act`: what the n-th process does with a request. */
function rig(
  act: (request: OcrRequest & { picture: { source: { name: string } } }, double: Double, process: number) => void,
  limits: Partial<OcrLimits> = {},
) {
  const processes: Double[] = [];
  const spawn = (): HostProcess => {
    const number = processes.length;
    let exited = false;
    let onExit: Parameters<HostProcess['onExit']>[0] = () => {};
    const double: Double = {
      killed: false,
      reply: () => {},
      exit: (lastWords = '') => {
        if (exited) return;
        exited = true;
        onExit({ code: null, signal: 'SIGSEGV', lastWords });
      },
      host: {
        pid: undefined,
        send: (message) => queueMicrotask(() => act(message as OcrRequest & { picture: { source: { name: string } } }, double, number)),
        onMessage: (listener) => void (double.reply = listener),
        onExit: (listener) => void (onExit = listener),
        onBeat: () => {},
        kill: () => {
          double.killed = true;
          queueMicrotask(() => double.exit());
        },
      },
    };
    processes.push(double);
    return double.host;
  };
  const recogniser = createTextRecogniser({
    spawn,
    limits: { tickMs: 5, still: 20, stillBehind: 60, picture: 100, idleMs: 60_000, ...limits },
  });
  open.push(recogniser);
  return { recogniser, processes };
}

test('lines are told as they are read, and all of them at the end', async () => {
  const { recogniser, processes } = rig(({ id }, { reply }) => {
    reply({ id, kind: 'line', line });
    reply({ id, kind: 'line', line: { ...line, before: '\n', text: 'world' } });
    reply({ id, kind: 'done' });
  });
  const told: string[] = [];
  const lines = await recogniser.recognise(picture('a.png'), { onLine: ({ text }) => told.push(text) });
  expect(told).toEqual(['Hello', 'world']);
  expect(lines.map(({ text }) => text)).toEqual(told);
  // The same process takes the next.
  await recogniser.recognise(picture('b.png'));
  expect(processes).toHaveLength(1);
});

test('a picture that the process dies of fails by name; the ones behind it are read by another process', async () => {
  const { recogniser, processes } = rig(({ id, picture: asked }, { reply, exit }) => {
    if (asked.source.name === 'evil.png') exit('bad allocation');
    else reply({ id, kind: 'done' });
  });
  const [evil, good] = await Promise.allSettled([recogniser.recognise(picture('evil.png')), recogniser.recognise(picture('good.png'))]);
  expect(evil).toMatchObject({
    reason: {
      code: 'ocr_failed',
      message: 'The process that reads text crashed on evil.png. The rest of Loupe is not affected.',
      nextStep: expect.any(String) as string,
    },
  });
  expect(good).toMatchObject({ value: [] });
  expect(processes).toHaveLength(2);
});

test('a picture that nothing comes of is given up, and its process ended', async () => {
  const { recogniser, processes } = rig(({ id }, { reply }, process) => {
    if (process === 1) reply({ id, kind: 'done' });
  });
  await expect(recogniser.recognise(picture('endless.png'))).rejects.toMatchObject({
    code: 'ocr_failed',
    message: expect.stringContaining('endless.png') as string,
  });
  expect(processes[0]!.killed).toBe(true);
  await expect(recogniser.recognise(picture('next.png'))).resolves.toEqual([]);
});

test('in the background, where it waits for everything else, it has longer', async () => {
  vi.useFakeTimers();
  try {
    // 40 ticks.
    const { recogniser } = rig(({ id }, { reply }) => void setTimeout(() => reply({ id, kind: 'done' }), 200));
    const both = Promise.allSettled([
      recogniser.recognise(picture('behind.png'), { background: true }),
      recogniser.recognise(picture('before.png')),
    ]);
    await vi.advanceTimersByTimeAsync(500);
    expect(await both).toMatchObject([{ status: 'fulfilled', value: [] }, { reason: { code: 'ocr_failed' } }]);
  } finally {
    vi.useRealTimers();
  }
});

test('lines give it time, but not for ever', async () => {
  let told = 0;
  const { recogniser } = rig(({ id }, { reply }) => {
    const timer = setInterval(() => {
      told++;
      reply({ id, kind: 'line', line });
    }, 5);
    setTimeout(() => clearInterval(timer), 5_000).unref();
  });
  await expect(recogniser.recognise(picture('noise.png'))).rejects.toMatchObject({ code: 'ocr_failed' });
  expect(told).toBeGreaterThan(20);
});

test('whoever stops it is answered at once, and so is who waits; the next picture is read', async () => {
  const { recogniser, processes } = rig(({ id }, { reply }, process) => {
    if (process > 0) reply({ id, kind: 'done' });
  });
  const [first, second] = [new AbortController(), new AbortController()];
  const running = recogniser.recognise(picture('a.png'), { signal: first.signal });
  const waiting = recogniser.recognise(picture('b.png'), { signal: second.signal });
  second.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  first.abort();
  await expect(running).rejects.toMatchObject({ code: 'cancelled' });
  expect(processes[0]!.killed).toBe(true);
  await expect(recogniser.recognise(picture('c.png'))).resolves.toEqual([]);
  // What was stopped while it waited has never been asked for.
  expect(processes).toHaveLength(2);
});

test('what the process says of a picture reaches whoever asked', async () => {
  const { recogniser } = rig(({ id }, { reply }) =>
    reply({
      id,
      kind: 'failed',
      failure: { ok: false, code: 'image_empty', message: 'a.png is empty (0 bytes).', nextStep: 'Save it again.' },
    }),
  );
  await expect(recogniser.recognise(picture('a.png'))).rejects.toMatchObject({ code: 'image_empty', message: 'a.png is empty (0 bytes).' });
});

test('the process is ended when nobody has needed it for a while, and by closing', async () => {
  const { recogniser, processes } = rig(({ id }, { reply }) => reply({ id, kind: 'done' }), { idleMs: 20 });
  await recogniser.recognise(picture('a.png'));
  await expect.poll(() => processes[0]!.killed).toBe(true);
  await recogniser.recognise(picture('b.png'));
  await recogniser.close();
  expect(processes[1]!.killed).toBe(true);
  await expect(recogniser.recognise(picture('c.png'))).rejects.toMatchObject({ code: 'cancelled' });
});

test('who waits comes before what nobody waits for, and gets a process that has not given way', async () => {
  const asked: { name: string; background: boolean; process: number }[] = [];
  const { recogniser, processes } = rig(
    ({ id, picture: { source }, background }, { reply }, process) => {
      asked.push({ name: source.name, background, process });
      // The first time it does not get to the end.
      if (source.name !== 'old.png' || process > 0) reply({ id, kind: 'done' });
    },
    { idleMs: 20 },
  );
  const old = recogniser.recognise(picture('old.png'), { background: true });
  const older = recogniser.recognise(picture('older.png'), { background: true });
  await expect.poll(() => asked.length).toBe(1);
  await recogniser.recognise(picture('now.png'));
  expect(processes[0]!.killed).toBe(true);
  // Read again, in its order, once nobody has waited for a while.
  expect(asked).toHaveLength(2);
  await Promise.all([old, older]);
  expect(asked).toEqual([
    { name: 'old.png', background: true, process: 0 },
    { name: 'now.png', background: false, process: 1 },
    { name: 'old.png', background: true, process: 2 },
    { name: 'older.png', background: true, process: 2 },
  ]);
  expect(processes[1]!.killed).toBe(true);
});

test('what is read in the background is stopped like any other, also while it waits', async () => {
  const { recogniser } = rig(() => {});
  const [first, second] = [new AbortController(), new AbortController()];
  const running = recogniser.recognise(picture('a.png'), { background: true, signal: first.signal });
  const waiting = recogniser.recognise(picture('b.png'), { background: true, signal: second.signal });
  second.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  first.abort();
  await expect(running).rejects.toMatchObject({ code: 'cancelled' });
  const closed = recogniser.recognise(picture('c.png'), { background: true });
  await recogniser.close();
  await expect(closed).rejects.toMatchObject({ code: 'cancelled' });
});
