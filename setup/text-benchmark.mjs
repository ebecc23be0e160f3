// `npm run bench:text`: how long reading the text of a picture takes, from the request to the last line, in the process that the app uses.
// Two cases: twenty lines cut out of a screen, and a whole screen of 1280 x 800. The first reading, which starts the process, counts apart.
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { inRoot } from './paths.mjs';

/** The whole of the fixture, and twenty lines of its middle. */
const cases = [
  { name: '20 lines', region: { left: 210, top: 100, width: 840, height: 450 } },
  { name: '1280 x 800', region: null },
];

/** @param {string[]} args `--rounds N` @returns {Promise<number>} exit code */
export async function benchText(args) {
  const { values } = parseArgs({ args, options: { rounds: { type: 'string', default: '5' } } });
  const { default: sharp } = await import('sharp');
  const { createTextRecogniser } = await import('../main/ocr/ocr-client.ts');
  const { textOf } = await import('../main/contract.ts');
  const screen = inRoot('fixtures', 'ocr', 'screen.png');
  const recogniser = createTextRecogniser();
  try {
    for (const { name, region } of cases) {
      const bytes = await (region ? sharp(screen).extract(region) : sharp(screen)).png().toBuffer();
      /** @type {{ first: number, all: number, load: number }[]} */
      const rounds = [];
      let text = '';
      for (let round = 0; round <= Number(values.rounds); round++) {
        const start = performance.now();
        let first = 0;
        const lines = await recogniser.recognise({ source: { bytes, name } }, { onLine: () => (first ||= performance.now() - start) });
        rounds.push({ first, all: performance.now() - start, load: loadavg()[0] ?? 0 });
        text = textOf(lines);
      }
      const [cold, ...warm] = rounds;
      const middle = warm.toSorted((a, b) => a.all - b.all)[warm.length >> 1] ?? cold;
      const count = text.split('\n').filter(Boolean).length;
      if (cold && middle)
        process.stdout.write(
          `${name}: ${count} lines, ${text.length} characters; ` +
            `first line after ${middle.first.toFixed(0)} ms, all after ${middle.all.toFixed(0)} ms ` +
            `(median of ${warm.length}); the first time ${cold.all.toFixed(0)} ms; load ${middle.load.toFixed(1)}\n`,
        );
    }
    return 0;
  } finally {
    await recogniser.close();
  }
}
