/** What is loaded where the chosen device, or the chosen length, fails again and again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { defaultSettings, type EventMessage, type Message, type Settings } from '../contract.ts';
import { createFakeEngine, type FakeEngine } from '../engine/test/fake-engine.ts';
import { device as fakeDevice } from '../engine/test/fake-facts.ts';
import { LoupeError, type ErrorCode } from '../errors.ts';
import { openStore } from '../storage/store.ts';
import { createChat } from './chat/chat.ts';
import { createEngineService, type EngineService } from './engine-service.ts';
import type { Engine } from './ports.ts';

type Listed = Awaited<ReturnType<Engine['devices']>>[number];

const listed = (index: number, name: string, kind: Listed['kind'], suitable = true): Listed => ({
  ...fakeDevice,
  ...{ index, name, kind, suitable },
});
const card = listed(0, 'Card', 'discrete');
const chip = listed(1, 'Chip', 'integrated');
const processor = listed(2, 'Processor', 'cpu');

let port: FakeEngine;
let service: EngineService;
let settings: Settings;
/** As the system lists them. */
let devices: Listed[];
/** What each load was asked for. */
let loads: { device: string | undefined; contextLength: number | undefined }[];
/** On which devices a use fails, and with what. */
let faults: Record<string, ErrorCode | undefined>;
/** The same, by its place in the list. */
let lostIndex: number | null;

beforeEach(() => {
  devices = [card, chip, processor];
  settings = { ...defaultSettings };
  loads = [];
  faults = {};
  lostIndex = null;
  port = createFakeEngine({ answer: () => 'one two three four five', contextLength: 131_072 });
  const load = port.load.bind(port);
  const estimate = port.estimate.bind(port);
  const generate = port.generate.bind(port);
  const losses: Parameters<Engine['onLost']>[0][] = [];
  let on = card;

  const choose = (wanted: string | undefined): Listed => {
    const found = devices.find(({ index, name }) => wanted === undefined || wanted === String(index) || wanted === name);
    if (!found) throw new LoupeError('no_device', `No Vulkan device matches "${wanted}".`);
    return found;
  };
  const failOn = ({ index, name }: Listed): void => {
    const code = index === lostIndex ? 'device_lost' : faults[name];
    if (!code) return;
    if (code !== 'device_out_of_memory')
      for (const tell of losses) tell({ requestId: 1, kind: 'generate', code: 'device_lost', exit: 'its device was lost' });
    throw new LoupeError(code, 'It failed.');
  };
  Object.assign(port, {
    onLost: (listener) => void losses.push(listener),
    devices: async () => devices,
    estimate: async (request, options) => {
      const wanted = choose(request.engine.device);
      return { ...(await estimate(request, options)), deviceBudgetBytes: 1e9, device: wanted };
    },
    load: async (request, options) => {
      on = choose(request.engine.device);
      loads.push({ device: request.engine.device, contextLength: request.contextLength });
      return { ...(await load(request, options)), device: on };
    },
    generate: async (request, options) => {
      const fault = faults[on.name];
      // With words before, which the next one goes on from.
      if (fault && !request.answerSoFar) options?.onText?.('one two');
      failOn(on);
      return generate(request, options);
    },
  } satisfies Partial<Engine>);
  service = createEngineService({
    engine: port,
    settings: () => settings,
    model: (id) => ({ choice: { id, name: id, kind: 'vision', bytes: 1, present: true }, place: async () => ({ directory: '/model' }) }),
    onChange: () => {},
  });
});
afterEach(() => service.close());

const ask = (): Promise<ErrorCode | 'answered'> =>
  service
    .use(new AbortController().signal, () =>
      port.generate({ messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello?' }] }], maxTokens: 9 }),
    )
    .then(
      () => 'answered',
      (error: LoupeError) => error.code,
    );

describe('a device that is lost', () => {
  test('once, as when the computer slept, is tried again', async () => {
    faults = { Card: 'device_lost' };
    expect(await ask()).toBe('device_lost');
    faults = {};
    expect(await ask()).toBe('answered');
    expect(service.state()).toMatchObject({ device: { name: 'Card' }, instead: null });
    // What came right between is not in a row.
    faults = { Card: 'device_lost' };
    expect(await ask()).toBe('device_lost');
    faults = {};
    expect(await ask()).toBe('answered');
    expect(loads.map(({ device }) => device)).toEqual([undefined, undefined, undefined]);
  });

  test('twice in a row: the next card is used, and it is said', async () => {
    faults = { Card: 'device_lost' };
    expect([await ask(), await ask(), await ask()]).toEqual(['device_lost', 'device_lost', 'answered']);
    expect(service.state()).toMatchObject({
      device: { name: 'Chip' },
      instead: { message: 'Card failed twice in a row, so Loupe uses Chip.' },
    });
    // It stays.
    expect(await ask()).toBe('answered');
    expect(loads).toHaveLength(3);
  });

  test('every one that fails gives way: another card, then the processor, then a shorter conversation, and no further', async () => {
    faults = { Card: 'engine_crashed', Chip: 'engine_crashed', Processor: 'engine_crashed' };
    settings.contextLength = 65_536;
    for (let i = 0; i < 12; i++) await ask();
    expect(loads.map(({ device, contextLength }) => [device, contextLength])).toEqual([
      [undefined, 65_536],
      [undefined, 65_536],
      ['1', 65_536],
      ['1', 65_536],
      ['2', 65_536],
      ['2', 65_536],
      ...Array.from({ length: 6 }, () => ['2', 4096]),
    ]);
  });

  test('of two cards with one name, the other one', async () => {
    devices = [card, listed(1, 'Card', 'discrete'), processor];
    lostIndex = 0;
    expect([await ask(), await ask(), await ask()]).toEqual(['device_lost', 'device_lost', 'answered']);
    expect(loads.map(({ device }) => device)).toEqual([undefined, undefined, '1']);
    expect(service.state().instead?.message).toBe('Card failed twice in a row, so Loupe uses the other one.');
    lostIndex = 1;
    expect([await ask(), await ask(), await ask()]).toEqual(['device_lost', 'device_lost', 'answered']);
    expect(service.state()).toMatchObject({ device: { name: 'Processor' } });
  });

  test('what a person asks for again is tried again; so is what they choose', async () => {
    faults = { Card: 'device_lost' };
    await ask();
    await ask();
    expect(await ask()).toBe('answered');
    faults = {};
    await service.load();
    expect(service.state()).toMatchObject({ device: { name: 'Card' }, instead: null });
    faults = { Card: 'device_lost' };
    await ask();
    await ask();
    await ask();
    settings.device = 'Processor';
    expect(await ask()).toBe('answered');
    expect(service.state()).toMatchObject({ device: { name: 'Processor' }, instead: null });
  });

  test('with nothing else there, it is tried as it is, and nothing is said of another', async () => {
    devices = [card, listed(1, 'Old card', 'discrete', false)];
    settings.contextLength = 2048;
    faults = { Card: 'device_lost' };
    for (let i = 0; i < 5; i++) await ask();
    expect(new Set(loads.map(({ device }) => device))).toEqual(new Set([undefined]));
    faults = {};
    expect(await ask()).toBe('answered');
    expect(service.state()).toMatchObject({ instead: null });
  });
});

describe('a device that is pulled out', () => {
  test('that was chosen by name: another is used at once, until it is asked for again', async () => {
    settings.device = 'Card';
    expect(await ask()).toBe('answered');
    devices = [listed(0, 'Chip', 'integrated'), listed(1, 'Processor', 'cpu')];
    faults = { Card: 'device_lost' };
    expect([await ask(), await ask()]).toEqual(['device_lost', 'answered']);
    expect(service.state()).toMatchObject({ device: { name: 'Chip' }, instead: { message: 'Card is not there, so Loupe uses Chip.' } });
    devices = [card, chip];
    faults = {};
    await service.load();
    expect(service.state()).toMatchObject({ device: { name: 'Card' }, instead: null });
  });

  test('that Loupe chose: the next one is used, and it is said', async () => {
    expect(await ask()).toBe('answered');
    devices = [chip, processor];
    faults = { Card: 'device_lost' };
    expect([await ask(), await ask()]).toEqual(['device_lost', 'answered']);
    expect(service.state().instead?.message).toBe('Card is not there any more, so Loupe uses Chip.');
  });

  test('the only one: it is said that there is none, and it is used when it is back', async () => {
    settings.device = 'Card';
    devices = [];
    expect(await ask()).toBe('no_device');
    expect(service.state()).toMatchObject({ status: 'failed', failure: { code: 'no_device' } });
    devices = [card];
    expect(await ask()).toBe('answered');
    expect(service.state()).toMatchObject({ instead: null });
  });
});

describe('a device without room', () => {
  test('twice in a row: the conversation is shorter, and it is said', async () => {
    settings.contextLength = 65_536;
    faults = { Card: 'device_out_of_memory' };
    expect([await ask(), await ask()]).toEqual(['device_out_of_memory', 'device_out_of_memory']);
    faults = {};
    expect(await ask()).toBe('answered');
    expect(service.state()).toMatchObject({
      device: { name: 'Card' },
      contextLength: 4096,
      instead: { message: 'Card ran out of memory twice in a row, so a conversation has room for 4,096 tokens for now.' },
    });
  });

  test('for even that: another device', async () => {
    faults = { Card: 'device_out_of_memory' };
    for (let i = 0; i < 4; i++) expect(await ask()).toBe('device_out_of_memory');
    expect(await ask()).toBe('answered');
    expect(service.state()).toMatchObject({ device: { name: 'Chip' }, contextLength: 131_072 });
  });
});

test('an answer whose device is lost twice is written to its end on another, from its last word, without being asked again', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'loupe-fallback-'));
  const store = openStore(directory);
  const events: EventMessage[] = [];
  const chat = createChat({
    store,
    engine: service,
    showPage: () => Promise.reject(new Error('No page is looked at here.')),
    readText: () => Promise.reject(new Error('No picture is read here.')),
    emit: (event) => void events.push(event),
  });
  try {
    faults = { Card: 'device_lost' };
    const { answer } = chat.send({ conversationId: null, parentId: null, text: 'Hello?', pictures: [], scope: null });
    const ended = await vi.waitFor(() => {
      const last = events
        .flatMap(({ event, payload }) => (event === 'message.changed' ? [payload] : []))
        .findLast(({ id }) => id === answer.id);
      expect(last?.state).not.toBe('streaming');
      return last as Message;
    });
    expect(ended).toMatchObject({ state: 'complete', text: 'one two three four five', failure: null });
    expect(service.state().instead?.message).toContain('so Loupe uses Chip');
  } finally {
    chat.close();
    store.close();
    rmSync(directory, { recursive: true });
  }
});
