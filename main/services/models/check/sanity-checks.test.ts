import { afterEach, expect, test, vi } from 'vitest';
import { defaultSettings, type EngineState, type EventMessage, type SanityCheck } from '../../../contract.ts';
import { createFakeEngine } from '../../../engine/test/fake-engine.ts';
import { createEngineService, type EngineService } from '../../engine-service.ts';
import { LoupeError } from '../../../errors.ts';
import type { Body, SanityCheckRecord, Score } from '../../ports.ts';
import { createSanityChecks, type SanityChecks } from './sanity-checks.ts';

let service: EngineService;
let sanityChecks: SanityChecks;
let records: SanityCheckRecord[] = [];
let told: SanityCheck[][];
let asked: number;
let bytes: number;

afterEach(async () => {
  vi.useRealTimers();
  sanityChecks.close();
  await service.close();
  records = [];
});

const perfect = ({ texts }: Body<'score'>): Score[] =>
  texts.map(() => ({ logProbabilities: new Float32Array(20), best: new Float32Array(20) }));
/** As `perfect`, and it sees. */
const seeing = (request: Body<'score'>): Score[] =>
  perfect(request).map((score, index) =>
    request.messages && !JSON.stringify(request.messages).includes(request.texts[index]!)
      ? { ...score, logProbabilities: score.best.map(() => -4) }
      : score,
  );

function begin(score: (request: Body<'score'>) => Score[] | Promise<Score[]> = seeing): void {
  told = [];
  asked = 0;
  bytes = 1000;
  service = createEngineService({
    engine: createFakeEngine({
      score: (request) => {
        asked++;
        return score(request);
      },
    }),
    settings: () => defaultSettings,
    model: () => ({ choice: { id: '/a', name: 'A', kind: 'vision', bytes, present: true }, place: async () => ({ directory: '/a' }) }),
    onChange: (state: EngineState) => sanityChecks.follow(state),
  });
  const models = {
    sanityChecks: () => records,
    saveSanityCheck: (record: SanityCheckRecord) => void (records = [...records.filter(({ model }) => model !== record.model), record]),
  };
  const emit = ({ event, payload }: EventMessage): void => void (event === 'sanityChecks.changed' && told.push(payload));
  sanityChecks = createSanityChecks({
    store: { models },
    engine: service,
    references: async () => [],
    emit,
    clock: { now: () => 77 },
    afterLoadMs: 5,
    afterUseMs: 60,
  });
}

const use = <Result>(work: () => Promise<Result>): Promise<Result> => service.use(new AbortController().signal, work);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const ended = (state: SanityCheck['state']) => vi.waitFor(() => expect(sanityChecks.list()).toMatchObject([{ model: '/a', state }]));

test('a model that is loaded is tried once, and what came of it is kept', async () => {
  begin();
  await service.load();
  await ended('sound');
  expect(told.map((list) => list.map(({ state }) => state))).toEqual([['running'], ['sound']]);
  expect(records).toEqual([{ model: '/a', bytes: 1000, device: 'Fake device', driver: 'fake', sound: true, findings: [], testedAt: 77 }]);
  const before = asked;
  await service.load();
  await pause(30);
  expect(asked).toBe(before);
  // Other files are another model.
  bytes = 2000;
  await service.load();
  await vi.waitFor(() => expect(asked).toBeGreaterThan(before));
});

test('a model that does not see warns, and answers all the same', async () => {
  begin(perfect);
  await service.load();
  await ended('wrong');
  expect(sanityChecks.list()[0]!.findings).toEqual(['It does not see what is in a picture.']);
  expect(await use(async () => 'an answer')).toBe('an answer');

  // Mended: the next start of Loupe finds out, this one does not try again and again.
  const before = asked;
  await service.load();
  await pause(30);
  expect(asked).toBe(before);
  sanityChecks.close();
  await service.close();
  begin();
  await service.load();
  await ended('sound');
});

test('whoever asks something is first: the trial ends at once and comes back when all is quiet', async () => {
  vi.useFakeTimers();
  let release = (): void => {};
  begin((request) => (asked > 1 ? seeing(request) : new Promise<Score[]>((resolve) => (release = () => resolve(seeing(request))))));
  await service.load();
  await vi.advanceTimersByTimeAsync(5);
  expect(sanityChecks.list()).toMatchObject([{ state: 'running' }]);
  const answer = use(async () => 'an answer');
  release();
  expect(await answer).toBe('an answer');
  expect(sanityChecks.list()).toEqual([]);
  await vi.advanceTimersByTimeAsync(59);
  expect(sanityChecks.list()).toEqual([]);
  await vi.advanceTimersByTimeAsync(2);
  await vi.waitFor(() => expect(sanityChecks.list()).toMatchObject([{ model: '/a', state: 'sound' }]));
});

test('a question that came before the trial puts it off', async () => {
  vi.useFakeTimers();
  begin();
  await service.load();
  const answer = use(() => pause(30));
  await vi.advanceTimersByTimeAsync(30);
  await answer;
  expect(asked).toBe(0);
  await vi.advanceTimersByTimeAsync(59);
  expect(asked).toBe(0);
  await vi.advanceTimersByTimeAsync(2);
  await vi.waitFor(() => expect(sanityChecks.list()).toMatchObject([{ model: '/a', state: 'sound' }]));
});

test('what keeps it from being tried is said and not kept', async () => {
  begin(() => {
    throw new LoupeError('device_out_of_memory', 'Full.');
  });
  await service.load();
  await ended('failed');
  expect(sanityChecks.list()[0]!.failure).toMatchObject({ code: 'device_out_of_memory', message: 'Full.' });
  expect(records).toEqual([]);
  // And nobody waits for another attempt, or for the model to be loaded anew.
  const before = asked;
  const { status } = service.state();
  await use(async () => {});
  await service.load();
  await pause(30);
  expect([asked, status]).toEqual([before, 'ready']);
});
