/**
 * The engine's process made to stand still, everywhere and in every way, with the limits that people get: an answer comes
 * each time. How long it took is printed, not asserted.
 *
 *   LOUPE_STOPS           how many (default 10; 1000 take half an hour with 16 at once)
 *   LOUPE_STOPS_AT_ONCE   benches side by side (default 5)
 *   LOUPE_SEED            repeats a run
 */
import { expect, test } from 'vitest';
import { randomNumbers } from '../test/random.ts';
import { allStops, anyPicture, openBench, wholeAnswer, type Bench, type Stop } from './test/standing-still.ts';

const count = Number(process.env['LOUPE_STOPS'] ?? 10);
const atOnce = Math.min(count, Number(process.env['LOUPE_STOPS_AT_ONCE'] ?? 5));
const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;

/** Every one as often as any other, in a random order. */
function chooseStops(random: () => number): Stop[] {
  const stops: Stop[] = [];
  while (stops.length < count) stops.push(...shuffled(allStops, random));
  return stops.slice(0, count);
}

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

/** What the limits are measured by. Returns how long a restart takes without a hang, in ms. */
async function warmUp(bench: Bench): Promise<number> {
  for (let i = 0; i < 2; i++) expect((await bench.ask(undefined, anyPicture)).text).toBe(wholeAnswer);
  expect(await bench.engine.devices()).toHaveLength(1);
  return bench.restart();
}

test(`an answer comes after each of ${count} stops`, { timeout: 3 * 60 * 60_000 }, async ({ annotate }) => {
  const seed = Number(process.env['LOUPE_SEED'] ?? 1 + (Date.now() % 2 ** 31));
  await annotate(`LOUPE_SEED=${seed}`);
  const stops = chooseStops(randomNumbers(seed));
  const took: { stop: Stop; ms: number }[] = [];
  const restarts: { ms: number }[] = [];
  const work = stops.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      const bench = openBench(undefined);
      try {
        restarts.push({ ms: await warmUp(bench) });
        for (const stop of work) {
          const { answer, stopped, ms } = await bench.stand(stop);
          const where = `seed ${seed}: ${JSON.stringify(stop)}`;
          expect(answer, where).toMatchObject({ state: 'complete', text: wholeAnswer, failure: null });
          if (stopped) expect(stopped, where).toMatchObject({ state: 'stopped', failure: null });
          took.push({ stop, ms });
          // On a busy machine this is most of it.
          restarts.push({ ms: await bench.restart() });
        }
      } finally {
        await bench.close();
      }
    }),
  );
  expect(took).toHaveLength(count);
  for (const line of report(took, restarts)) {
    await annotate(line);
    console.log(line);
  }
});

function report(took: readonly { stop: Stop; ms: number }[], restarts: readonly { ms: number }[]): string[] {
  const line = (name: string, of: readonly { ms: number }[]): string => {
    const sorted = of.map(({ ms }) => ms).sort((a, b) => a - b);
    return (
      `${name}, ${sorted.length} times, to the next answer: median ${quantile(sorted, 0.5)} ms, 99th percentile ` +
      `${quantile(sorted, 0.99)} ms, longest ${sorted.at(-1)} ms`
    );
  };
  return [
    line('a stop', took),
    line('a process killed without a hang', restarts),
    ...Array.from(
      Map.groupBy(took, ({ stop: { at, how } }) => `${how} at ${at}`),
      ([name, of]) => line(name, of),
    ),
  ];
}
