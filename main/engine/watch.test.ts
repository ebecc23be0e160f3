/** What counts as standing still: in ticks and beats, which the tests give by hand. */
import { describe, expect, test } from 'vitest';
import { readBeats } from '../process/lifeline.ts';
import type { WorkStage } from '../protocol.ts';
import { usualLimits, type Limits } from './limits.ts';
import { Rates } from './rates.ts';
import { Watch, type Hang } from './watch.ts';

const limits: Limits = {
  ...usualLimits,
  birth: { first: 6, floor: 2 },
  start: { first: 6, floor: 2 },
  perStart: 2,
  ready: 10,
  silent: 4,
  silentByMessages: 9,
  busy: { none: 3, prompt: 5, language: 5, result: 8 },
  work: { ...usualLimits.work, decode: { first: 20, floor: 4 }, load: { first: 20, floor: 4 }, sent: { first: 3, floor: 3 } },
  perStep: 2,
  software: { first: 5, floor: 3 },
  cancelled: 12,
};

function watching({ rates = new Rates(limits), attempt = 0 }: { rates?: Rates; attempt?: number } = {}): {
  watch: Watch;
  hangs: Hang[];
  rates: Rates;
} {
  const hangs: Hang[] = [];
  const watch = new Watch({ limits, rates, attempt, onHang: (hang) => hangs.push(hang) });
  return { watch, hangs, rates };
}

const times = (count: number, action: (index: number) => void): void => Array.from({ length: count }).forEach((_, index) => action(index));
const alive = { moved: true, stage: 'none' } as const;

/** Born and ready. */
function grown(rates?: Rates): ReturnType<typeof watching> {
  const made = watching(rates && { rates });
  made.watch.beat(alive);
  made.watch.ready();
  return made;
}

describe('the process', () => {
  test('that gives no sign of life', () => {
    const { watch, hangs } = grown();
    times(4, () => watch.tick());
    expect(hangs).toEqual([]);
    watch.beat(alive);
    times(4, () => watch.tick());
    expect(hangs).toEqual([]);
    watch.tick();
    expect(hangs).toEqual([{ kind: 'silent' }]);
  });

  test('that falls silent again is given longer, until one has answered something', () => {
    const silences = (made: ReturnType<typeof grown>): number => {
      let ticks = 0;
      for (; made.hangs.length === 0; ticks++) made.watch.tick();
      return ticks;
    };
    const first = grown();
    expect([silences(first), silences(grown(first.rates)), silences(grown(first.rates))]).toEqual([5, 9, 17]);
    const answering = grown(first.rates);
    answering.watch.add(1);
    answering.watch.remove(1, ['sent']);
    expect(silences(answering)).toBe(5);
  });

  test('is not blamed for a parent that stood still: what came meanwhile is read before the next tick', () => {
    const { watch, hangs } = grown();
    // A timer that was missed a thousand times fires once.
    watch.tick();
    times(1000, () => watch.beat(alive));
    times(4, () => watch.tick());
    expect(hangs).toEqual([]);
  });

  test('whose main thread is stuck, by what it said that it was at', () => {
    for (const [stage, limit] of [
      ['none', 3],
      ['prompt', 5],
      ['result', 8],
    ] as const) {
      const { watch, hangs } = grown();
      times(limit, () => watch.beat({ moved: false, stage }));
      expect(hangs).toEqual([]);
      watch.beat({ moved: false, stage });
      expect(hangs).toEqual([{ kind: 'stuck', stage }]);
    }
  });

  test('starved of time beats less, and is stuck for less', () => {
    const { watch, hangs } = grown();
    times(100, (index) => {
      watch.tick();
      if (index % 4 === 3) watch.beat({ moved: index % 8 === 7, stage: 'none' });
    });
    expect(hangs).toEqual([]);
  });

  test('that never comes to life is given longer with each attempt, and what this computer was measured to need', () => {
    for (const [attempt, ticks] of [
      [0, 6],
      [1, 12],
      [2, 24],
    ] as const) {
      const { watch, hangs } = watching({ attempt });
      times(ticks, () => watch.tick());
      expect(hangs).toEqual([]);
      watch.tick();
      expect(hangs).toEqual([{ kind: 'start' }]);
    }
    const rates = new Rates(limits);
    const first = watching({ rates });
    times(5, () => first.watch.tick());
    first.watch.beat(alive);
    first.watch.ready();
    expect(rates.startLimit('birth', 0)).toBe(2 + 2 * 5);
    expect(rates.startLimit('start', 0)).toBe(2);
    // And lately, not once.
    const second = grown(rates);
    second.watch.tick();
    expect(rates.startLimit('birth', 0)).toBe(2 + 2 * 2);
  });

  test('that lives and never becomes ready', () => {
    const { watch, hangs } = watching();
    times(10, () => watch.beat(alive));
    expect(hangs).toEqual([]);
    watch.beat(alive);
    expect(hangs).toEqual([{ kind: 'start' }]);
  });

  test('that can be heard by its messages alone is missed only while something is asked of it', () => {
    const { watch, hangs } = watching();
    watch.message();
    watch.ready();
    times(100, () => watch.tick());
    expect(hangs).toEqual([]);
    watch.add(1);
    times(9, () => watch.tick());
    watch.message();
    times(9, () => watch.tick());
    expect(hangs).toEqual([]);
    watch.tick();
    expect(hangs).toEqual([{ kind: 'silent' }]);
  });
});

describe('a request', () => {
  const at = (watch: Watch, stage: WorkStage, steps: number, waiting = false): void => watch.work([{ id: 1, stage, steps }], waiting);

  test('is given long before the device was measured, and little beyond the longest step afterwards', () => {
    const { watch, hangs, rates } = grown();
    watch.add(1);
    times(20, () => at(watch, 'decode', 1));
    expect(hangs).toEqual([]);
    // Steps of three beats.
    times(8 * 3, (index) => at(watch, 'decode', 2 + Math.floor(index / 3)));
    expect(rates.limit('decode', true)).toBe(4 + 2 * 19);
    const fresh = new Rates(limits);
    const second = grown(fresh);
    second.watch.add(1);
    times(9 * 3, (index) => at(second.watch, 'decode', Math.floor(index / 3)));
    expect(fresh.limit('decode', true)).toBe(4 + 2 * 2);
    // Two beats of the last step are counted already.
    times(6, () => at(second.watch, 'decode', 8));
    expect(second.hangs).toEqual([]);
    at(second.watch, 'decode', 8, true);
    expect(second.hangs).toEqual([{ kind: 'still', id: 1, stage: 'decode', waiting: true }]);
  });

  test('that ended well has measured the stages that it came through, however short', () => {
    const { watch, rates } = grown();
    watch.add(1);
    expect(rates.limit('load', true)).toBe(20);
    watch.remove(1, ['open', 'load']);
    expect(rates.limit('load', true)).toBe(4);
    rates.forgetModel();
    expect(rates.limit('load', true)).toBe(20);
  });

  test('on software Vulkan is given more', () => {
    const rates = new Rates(limits);
    rates.software = true;
    expect(rates.limit('decode', true)).toBe(20 * 5);
    rates.ended('decode', 10);
    expect(rates.limit('decode', true)).toBe(4 * 3 + 2 * 10);
    rates.ended('decode', 1);
    expect(rates.limit('decode', true)).toBe(4 * 3 + 2 * 5);
  });

  test('whose stage was ended once for standing still is given twice as long, until it comes through', () => {
    const rates = new Rates(limits);
    rates.ended('decode', 0);
    rates.hung('decode');
    expect(rates.limit('decode', true)).toBe(8);
    times(9, () => rates.hung('decode'));
    expect(rates.limit('decode', true)).toBe(32);
    rates.ended('decode', 0);
    expect(rates.limit('decode', true)).toBe(4);
  });

  test('that nobody wants any more is not waited for as long as the first of its kind', () => {
    const { watch, hangs } = grown();
    watch.add(1);
    at(watch, 'decode', 1);
    times(10, () => at(watch, 'decode', 1));
    expect(hangs).toEqual([]);
    watch.cancel(1);
    at(watch, 'decode', 1);
    expect(hangs).toEqual([{ kind: 'still', id: 1, stage: 'decode', waiting: false }]);
  });

  test('that was stopped and then ended does not give the next one longer', () => {
    const rates = new Rates(limits);
    rates.ended('decode', 0);
    for (let round = 0; round < 3; round++) {
      const { watch, hangs } = grown(rates);
      watch.add(1);
      at(watch, 'decode', 1);
      watch.cancel(1);
      times(5, () => at(watch, 'decode', 1));
      expect(hangs).toHaveLength(1);
      expect(rates.limit('decode', true)).toBe(4);
    }
  });

  test('that nobody wants any more may make steps for a while, not for ever', () => {
    const { watch, hangs } = grown();
    watch.add(1);
    watch.cancel(1);
    times(12, (index) => at(watch, 'decode', index));
    expect(hangs).toEqual([]);
    at(watch, 'decode', 99);
    expect(hangs).toMatchObject([{ kind: 'still', id: 1 }]);
  });

  test('that the process does not know of', () => {
    const { watch, hangs } = grown();
    watch.add(1);
    times(4, () => watch.work([], false));
    expect(hangs).toEqual([{ kind: 'still', id: 1, stage: 'sent', waiting: false }]);
  });

  test('stands still although another one moves', () => {
    const { watch, hangs } = grown();
    watch.add(1);
    watch.add(2);
    times(30, (index) =>
      watch.work(
        [
          { id: 1, stage: 'decode', steps: index },
          { id: 2, stage: 'load', steps: 0 },
        ],
        false,
      ),
    );
    expect(hangs[0]).toEqual({ kind: 'still', id: 2, stage: 'load', waiting: false });
  });
});

test('beats are told from what drivers print', () => {
  expect(readBeats(Buffer.from('a driver that prints\n'))).toEqual([]);
  expect(readBeats(Uint8Array.of(0x41, 0x80, 0x81, 0x80 | (4 << 1), 0x0a))).toEqual([
    { moved: false, stage: 'none' },
    { moved: true, stage: 'none' },
    { moved: false, stage: 'result' },
  ]);
});
