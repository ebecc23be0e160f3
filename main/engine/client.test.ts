import { fileURLToPath } from 'node:url';
import { createRequire } from 'node:module';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { LoupeError } from '../errors.ts';
import type { ChatMessage, Engine, EngineLoss } from '../services/ports.ts';
import { forkHost, type HostProcess } from '../process/channel.ts';
import { createPictureWorker } from '../image/picture-client.ts';
import { createEngineClient } from './client.ts';

const addon = fileURLToPath(new URL('./test/addon-double.cjs', import.meta.url));
const demo = fileURLToPath(new URL('../../resources/demo-model/', import.meta.url));
const { seeds } = createRequire(import.meta.url)(addon) as {
  seeds: Record<'stream' | 'exit' | 'kill' | 'endless' | 'deviceLost' | 'chatter' | 'hang', number>;
};
const messages: ChatMessage[] = [{ role: 'user', content: [{ type: 'text', text: 'Hello?' }] }];
const answer = 'Grüße, 世界!';

const engines: Engine[] = [];
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.close()));
});

function start(env: NodeJS.ProcessEnv = {}, onSpawn: (host: HostProcess) => void = () => {}): Engine {
  const spawn = (): HostProcess => {
    const host = forkHost({ env: { LOUPE_ADDON: addon, ...env } });
    onSpawn(host);
    return host;
  };
  const engine = createEngineClient({ spawn, firstPauseMs: 5 });
  engines.push(engine);
  return engine;
}

const load = (engine: Engine): Promise<unknown> => engine.load({ directory: demo, engine: {} });
const ask = (engine: Engine, seed: number, options: Parameters<Engine['generate']>[1] = {}): ReturnType<Engine['generate']> =>
  engine.generate({ messages, maxTokens: 50, sampling: { seed } }, options);

describe('a process that works', () => {
  test('loads with progress, streams whole characters, reports', async () => {
    const engine = start();
    const progress: number[] = [];
    const loaded = await engine.load({ directory: demo, engine: {} }, { onProgress: (done, total) => progress.push(done / total) });
    expect(progress).toEqual([0.5, 1]);
    expect(loaded).toMatchObject({ promptFormat: 'template', model: { vocabularySize: 352 }, device: { name: 'double' } });
    const pieces: string[] = [];
    const stages: string[] = [];
    const reply = await ask(engine, seeds.stream, { onText: (text) => pieces.push(text), onStage: (stage) => stages.push(stage) });
    expect(pieces).toEqual(Array.from(answer));
    expect(stages).toEqual(['prefill']);
    expect(reply).toMatchObject({ text: answer, finish: 'stop', images: [], sampling: { temperature: 0, seed: seeds.stream } });
    expect(reply.tokens).toEqual(Int32Array.from(Buffer.from(answer)));
    expect(await engine.memory()).toMatchObject({ deviceBytes: 1, validationErrors: 0 });
    expect((await engine.devices())[0]!.name).toBe('double');
    expect((await engine.selfTest({ engine: {} })).items).toEqual([{ name: 'matmul', ok: true, detail: 'double' }]);
  });

  test('tokens are counted, and an answer that goes on reads what it said so far', async () => {
    const engine = start();
    await load(engine);
    const { tokens: prompt } = await engine.countTokens({ messages });
    const { tokens: withBeginning } = await engine.countTokens({ messages, answerSoFar: 'Gr' });
    expect(prompt).toBeGreaterThan(0);
    // The demo vocabulary spells letters one by one.
    expect(withBeginning).toBe(prompt + 2);
    const reply = await engine.generate({ messages, answerSoFar: 'Gr', maxTokens: 50, sampling: { seed: seeds.stream } });
    expect(reply.statistics.promptTokens).toBe(withBeginning);
  });

  test('each picture of a request is prepared once, elsewhere, and waited for', async () => {
    const worker = createPictureWorker();
    const prepare = vi.fn(worker.prepare.bind(worker));
    const engine = createEngineClient({ spawn: () => forkHost({ env: { LOUPE_ADDON: addon } }), pictures: { prepare } });
    engines.push(engine);
    const image = { path: `${demo}samples/train-font-05.png` };
    const asking: ChatMessage[] = [1, 2].map((turn) => ({
      role: 'user',
      content: [
        { type: 'image', image },
        { type: 'text', text: `What is number ${turn}?` },
      ],
    }));
    await expect(engine.generate({ messages: asking, maxTokens: 5 })).rejects.toMatchObject({ code: 'model_missing' });
    await load(engine);
    expect((await engine.countTokens({ messages: asking })).tokens).toBeGreaterThan(0);
    expect(prepare).not.toHaveBeenCalled();
    const reply = await engine.generate({ messages: asking, maxTokens: 5, sampling: { seed: seeds.stream } });
    expect(prepare.mock.calls.map(([source]) => source)).toEqual([image]);
    const { hash, width, height, layout } = await worker.prepare(image, { tileSize: 112, maxTiles: 4 });
    const { resized, canvas, arrangement } = layout;
    expect(reply.images).toEqual([1, 2].map(() => ({ hash, width, height, resized, canvas, arrangement })));
    expect(reply.statistics.prepareMs).toBeGreaterThan(0);

    // Stopped while the picture is being decoded, it is not waited for.
    prepare.mockImplementation(() => new Promise(() => {}));
    const stop = new AbortController();
    const stopped = engine.generate({ messages: asking, maxTokens: 5 }, { signal: stop.signal });
    await vi.waitFor(() => expect(prepare).toHaveBeenCalledTimes(2));
    stop.abort();
    await expect(stopped).rejects.toMatchObject({ code: 'cancelled' });
    await worker.close();
  });

  test('pictures are prepared by path or bytes, and one that is refused names itself', async () => {
    const engine = start();
    await load(engine);
    const path = `${demo}samples/train-font-05.png`;
    const question: ChatMessage[] = [
      {
        role: 'user',
        content: [
          { type: 'image', image: { path } },
          { type: 'text', text: 'What?' },
        ],
      },
    ];
    const reply = await engine.generate({ messages: question, maxTokens: 5, sampling: { seed: seeds.stream } });
    expect(reply.images).toHaveLength(1);
    expect(reply.statistics.imagesEncoded).toBe(1);
    const empty: ChatMessage[] = [{ role: 'user', content: [{ type: 'image', image: { bytes: new Uint8Array(0), name: 'nothing.png' } }] }];
    await expect(engine.generate({ messages: empty, maxTokens: 5 })).rejects.toMatchObject({
      code: 'image_empty',
      message: expect.stringContaining('nothing.png'),
    });
    const traced = await engine.trace({ tokens: Int32Array.of(1, 2), images: [{ path }], continueFor: 0 });
    expect(traced.logits).toHaveLength(2 * 352);
    expect(traced.numTiles).toHaveLength(1);
  });

  test('cancel ends a generation with what it has', async () => {
    const engine = start();
    await load(engine);
    const stop = new AbortController();
    const reply = await ask(engine, seeds.endless, { signal: stop.signal, onText: () => stop.abort() });
    expect(reply.finish).toBe('cancelled');
    expect(reply.text.length).toBeGreaterThan(0);
    expect((await ask(engine, seeds.stream)).text).toBe(answer);
  });

  test('an answer that was stopped is not complete, also where the engine ended it before it heard of that', async () => {
    const engine = start();
    await load(engine);
    const { statistics } = await ask(engine, seeds.stream);
    const heard: ((message: unknown) => void)[] = [];
    const hasEnded: HostProcess = {
      pid: undefined,
      onMessage: (listener) => void heard.push(listener),
      send(message) {
        const { type, id } = message as { type: string; id: number };
        if (type !== 'generate') return;
        const end = { text: 'Yes', tokens: Int32Array.of(1), finish: 'stop', sampling, images: [], statistics };
        for (const event of [
          { type: 'token', text: 'Yes' },
          { type: 'done', result: end },
        ])
          for (const hear of heard) hear({ id, ...event });
      },
      onBeat: () => {},
      onExit: () => {},
      kill: () => {},
    };
    const sampling = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 1 };
    const fast = createEngineClient({ spawn: () => hasEnded, closeGraceMs: 1 });
    engines.push(fast);
    const stop = new AbortController();
    const asked = ask(fast, seeds.stream, { signal: stop.signal, onText: () => stop.abort() });
    for (const hear of heard) hear({ type: 'ready' });
    expect(await asked).toMatchObject({ text: 'Yes', finish: 'cancelled' });
  });

  test('a cancel that comes in one piece with its request is heard', async () => {
    const host = forkHost({ env: { LOUPE_ADDON: addon } });
    const ended = new Promise((resolve) =>
      host.onMessage((message) => {
        if ((message as { id?: number }).id === 1) resolve(message);
      }),
    );
    // Both wait until the process reads its messages for the first time.
    host.send({ type: 'load', id: 1, body: { directory: demo, engine: {} } });
    host.send({ type: 'cancel', id: 1 });
    expect(await ended).toMatchObject({ type: 'error', failure: { code: 'cancelled' } });
    host.kill();
  });

  test('kernels are asked for and measured, and a model is loaded with them, also after a restart', async () => {
    const engine = start();
    const card = { device: 'card' };
    const asked = await engine.kernels({ engine: card, measure: false });
    expect(asked).toMatchObject({ device: { name: 'double' }, questions: [{ name: 'matvec_threads', values: [64, 32] }], times: [] });
    const progress: number[][] = [];
    const { times } = await engine.kernels({ engine: card, measure: true }, { onProgress: (...step) => void progress.push(step) });
    expect(progress).toEqual([[1, 1]]);
    expect(times).toMatchObject([{ name: 'matvec_threads', chosen: 32 }]);
    const kernels = { matvec_threads: 32 };
    const loaded = await engine.load({ directory: demo, engine: { ...card, kernels } });
    expect(loaded.paths['kernels']).toBe(JSON.stringify(kernels));
    // With others the engine is opened anew: a session has recorded steps of its own.
    const table = await engine.load({ directory: demo, engine: card });
    expect(table.paths['kernels']).toBe('{}');
    // And what is measured takes the model's place, which comes back when it is used.
    await engine.kernels({ engine: card, measure: true });
    expect((await ask(engine, seeds.stream)).text).toBe(answer);
  });

  test('cancel before the start, and of a load', async () => {
    const engine = start();
    await expect(engine.load({ directory: demo, engine: {} }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
    const stop = new AbortController();
    await expect(
      engine.load({ directory: demo, contextLength: 77, engine: {} }, { signal: stop.signal, onProgress: () => stop.abort() }),
    ).rejects.toMatchObject({ code: 'cancelled' });
    await expect(ask(engine, seeds.stream)).rejects.toMatchObject({ code: 'model_missing' });
  });

  test('one request at a time', async () => {
    const engine = start();
    await load(engine);
    const stop = new AbortController();
    const first = ask(engine, seeds.endless, { signal: stop.signal });
    await expect(ask(engine, seeds.stream)).rejects.toMatchObject({ code: 'engine_busy' });
    expect(await engine.memory()).toMatchObject({ deviceBytes: 1 });
    stop.abort();
    expect((await first).finish).toBe('cancelled');
  });

  test('close ends a running request', async () => {
    const engine = start();
    await load(engine);
    const running = ask(engine, seeds.endless);
    const outcome = expect(running).rejects.toMatchObject({ code: 'cancelled' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await engine.close();
    await outcome;
    await expect(engine.devices()).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('a process that fails', () => {
  test.each([
    ['exit', seeds.exit, 'exit code 3'],
    ['kill', seeds.kill, 'signal SIGKILL'],
  ])('crash in mid-stream (%s): the request is lost by name, the next one works', async (_, seed, exit) => {
    const engine = start();
    const losses: EngineLoss[] = [];
    engine.onLost((loss) => losses.push(loss));
    await load(engine);
    const pieces: string[] = [];
    const error: LoupeError = await ask(engine, seed, { onText: (text) => pieces.push(text) }).then(
      () => expect.unreachable(),
      (thrown: unknown) => thrown as LoupeError,
    );
    expect(pieces).toEqual(['G']);
    expect(error).toMatchObject({ code: 'engine_crashed', message: expect.stringContaining(exit) });
    if (seed === seeds.exit) expect(error.message).toContain('driver: it is over');
    expect(losses).toEqual([{ requestId: 2, kind: 'generate', code: 'engine_crashed', exit }]);
    // The fresh process loads the model again by itself.
    expect((await ask(engine, seeds.stream)).text).toBe(answer);
  });

  test('two crashes in a row, then an answer', async () => {
    let spawned = 0;
    const engine = start({}, () => spawned++);
    await load(engine);
    for (let i = 0; i < 2; i++) await expect(ask(engine, seeds.kill)).rejects.toMatchObject({ code: 'engine_crashed' });
    expect((await ask(engine, seeds.stream)).text).toBe(answer);
    expect(spawned).toBe(3);
  });

  test('a lost device costs the process, not the next request', async () => {
    let spawned = 0;
    const engine = start({}, () => spawned++);
    await load(engine);
    await expect(ask(engine, seeds.deviceLost)).rejects.toMatchObject({ code: 'device_lost' });
    expect((await ask(engine, seeds.stream)).text).toBe(answer);
    expect(spawned).toBe(2);
  });

  test('a driver that hangs and hears no cancel costs the process, not the next request', async () => {
    let spawned = 0;
    const engine = start({}, () => spawned++);
    await load(engine);
    const stop = new AbortController();
    await expect(ask(engine, seeds.hang, { signal: stop.signal, onText: () => stop.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    expect((await ask(engine, seeds.stream)).text).toBe(answer);
    expect(spawned).toBe(2);
  });

  test('failures of the addon keep code and next step', async () => {
    const engine = start();
    await expect(engine.load({ directory: demo, engine: { device: 'none' } })).rejects.toMatchObject({
      code: 'no_device',
      nextStep: 'Look at the list.',
    });
    await expect(engine.load({ directory: '/nowhere', engine: {} })).rejects.toMatchObject({ code: 'model_missing' });
    await load(engine);
  });

  test('an addon that is not there', async () => {
    const engine = start({ LOUPE_ADDON: '/nowhere/loupe.node' });
    await expect(engine.devices()).rejects.toMatchObject({
      code: 'engine_missing',
      message: expect.stringContaining('/nowhere/loupe.node'),
    });
  });

  test('a process that cannot start', async () => {
    const engine = createEngineClient({ spawn: () => forkHost({ entry: '/nowhere/host.js' }), firstPauseMs: 1 });
    engines.push(engine);
    await expect(engine.devices()).rejects.toMatchObject({ code: 'engine_crashed', message: expect.stringContaining('exit code 1') });
  });

  test('messages that are not in the protocol', async () => {
    const engine = start();
    await load(engine);
    await expect(ask(engine, seeds.chatter)).rejects.toMatchObject({ code: 'protocol' });

    const host = forkHost({ env: { LOUPE_ADDON: addon } });
    const received: unknown[] = [];
    const answered = Promise.withResolvers<void>();
    host.onMessage((message) => {
      if (received.push(message) === 4) answered.resolve();
      if (received.length > 1) return;
      host.send({ type: 'fly', id: 7 });
      host.send('nonsense');
      host.send({ type: 'generate', id: 8, body: { messages: [], maxTokens: 1 } });
    });
    await answered.promise;
    expect(received).toMatchObject([
      { type: 'ready' },
      { type: 'error', id: 7, failure: { ok: false, code: 'protocol' } },
      { type: 'error', id: null, failure: { code: 'protocol' } },
      { type: 'error', id: 8, failure: { code: 'protocol', message: expect.stringContaining('messages') } },
    ]);
    const exit = new Promise((resolve) => host.onExit(resolve));
    host.send({ type: 'exit' });
    expect(await exit).toMatchObject({ code: 0, signal: null });
  });
});
