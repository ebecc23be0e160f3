import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeEngine } from '../engine/test/fake-engine.ts';
import { loaded } from '../engine/test/fake-facts.ts';
import { LoupeError } from '../errors.ts';
import { makeDocvqa, makeMmmu } from '../eval/test/small-sets.ts';
import type { Engine } from '../services/ports.ts';
import { runLoupe } from './run.ts';
import type { Terminal } from './terminal.ts';
import { terminalDouble } from './test/terminal-double.ts';

const picture = new Uint8Array([0x89, 0x50, 0x4e, 0x47]);
let folder: string;
let out: string;
/** Questions that the engine was asked, in order. */
let asked: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'loupe-eval-cli-'));
  out = join(folder, 'results.jsonl');
  asked = [];
});
afterEach(() => rm(folder, { recursive: true }));

const demo = 'loupe: no --model given; the small demo model answers. It only reads short text in simple screenshots.\n';
const numbers = ['one', 'two', 'three', 'four', 'five', 'six'];
const make = (): Promise<void> =>
  makeDocvqa(
    folder,
    picture,
    numbers.map((word, index) => ({ question: `Which is ${index + 1}?`, answers: [word], picture })),
  );

interface Situation {
  /** To the question of each row. */
  answer?: (question: string) => string;
  engine?: Partial<Engine>;
  watched?: boolean;
  interrupt?: AbortController;
  composed?: () => void;
}

interface Outcome {
  code: number;
  said: string;
  err: string;
}

async function run(args: string[], situation: Situation = {}): Promise<Outcome> {
  const { answer = () => 'three', engine = {}, watched = false, interrupt = new AbortController(), composed } = situation;
  const fake = createFakeEngine({
    answer: (messages) => {
      const question = messages.flatMap(({ content }) => content.map((part) => ('text' in part ? part.text : ''))).join('');
      asked.push(question.split('\n')[0]!);
      return answer(question);
    },
  });
  const compose = async (): Promise<Uint8Array> => {
    composed?.();
    return picture;
  };
  const terminal = terminalDouble({
    errIsTerminal: watched,
    startEngine: () => ({ ...fake, ...engine }),
    startPictures: () => ({ compose, close: async () => {} }) as unknown as ReturnType<Terminal['startPictures']>,
    interrupted: interrupt.signal,
  });
  const code = await runLoupe(['eval', ...args], terminal);
  return { code, said: terminal.said.out, err: terminal.said.err };
}

const docvqa = (...more: string[]): string[] => ['docvqa', '--folder', folder, '--out', out, ...more];

interface Line {
  id: string;
  score: number;
}
const results = (): Line[] =>
  readFileSync(out, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line) as Line);

describe('a whole run', () => {
  test('asks every row once, judges it, and shows the score beside the published ones', async () => {
    await make();
    const { code, said, err } = await run(docvqa());
    expect([code, err]).toEqual([0, demo]);
    expect([...asked].sort()).toEqual(numbers.map((_, index) => `Which is ${index + 1}?`));
    // "three" is right once of six; the others are more than half wrong: 100 / 6, and its error from scores 1, 0, 0, 0, 0, 0.
    expect(said).toBe(
      'DocVQA, validation: ANLS in percent\n\n' +
        '  The demo model                  16.7  ± 16.7, all 6 rows\n' +
        '  Llama 3.2 Vision 11B            62.3  published, validation\n' +
        '  Llama 3.2 Vision 11B Instruct   88.4  published, test\n' +
        '  Llama 3.2 Vision 90B            70.7  published, validation\n' +
        '  Llama 3.2 Vision 90B Instruct   90.1  published, test\n\n' +
        'On Fake device. ± is one standard error of the mean.\n' +
        'What differs from the published figures:\n' +
        '  - The published figures of the instruction-tuned models are of the test set, whose answers are not public.\n' +
        '  - The prompt is in words of our own: the cards state none.\n' +
        `Results: ${out}\n`,
    );
  });

  test('as JSON', async () => {
    await make();
    const { said } = await run(docvqa('--json'));
    expect(JSON.parse(said)).toMatchObject({
      ok: true,
      set: 'docvqa',
      metric: 'ANLS',
      device: 'Fake device',
      seed: 1,
      rows: { all: 6, chosen: 6, judged: 6, failed: 0, cut: 0 },
      percent: 16.67,
      error: 16.67,
      published: [{ model: '11B', percent: 62.3 }, { percent: 88.4 }, { percent: 70.7 }, { percent: 90.1 }],
      out,
    });
  });

  test('asks for the likeliest tokens, of one picture', async () => {
    await make();
    const requests: unknown[] = [];
    const generate: Engine['generate'] = (request) => {
      requests.push(request);
      return Promise.reject(new LoupeError('image_unreadable', 'page.png is damaged.'));
    };
    const { said } = await run(docvqa('--rows', '1'), { engine: { generate } });
    expect(requests).toMatchObject([
      { maxTokens: 96, sampling: { temperature: 0 }, messages: [{ role: 'user', content: [{ type: 'image' }, { type: 'text' }] }] },
    ]);
    expect(said).toContain('1 could not be asked and count as wrong');
    expect(said).toContain('  - Not all rows of the set were judged.\n');
    expect(results()).toMatchObject([{ score: 0, failure: 'page.png is damaged.' }]);
  });

  test('composes the pictures of a question that has several', async () => {
    await makeMmmu(folder, picture);
    let composed = 0;
    const { said } = await run(['mmmu', '--folder', folder, '--out', out, '--json'], {
      answer: () => 'Answer: A',
      composed: () => composed++,
    });
    expect(composed).toBe(1);
    expect(JSON.parse(said)).toMatchObject({ percent: 33.33, rows: { judged: 3 } });
  });

  test('tells who watches how far it is', async () => {
    await make();
    const { err } = await run(docvqa('--rows', '3'), { watched: true });
    expect(err.slice(demo.length)).toMatch(
      /^\r\u001b\[K0 of 3 rows\r\u001b\[K1 of 3 rows, [\d.]+ so far, \d+ s left\r\u001b\[K2 of 3 rows, [\d.]+ so far, \d+ s left\r\u001b\[K$/,
    );
  });
});

describe('a run that was ended', () => {
  test('goes on after the last row that was judged, and a row cut off in the middle is asked again', async () => {
    await make();
    let left = 3;
    const crash = (): string => {
      if (left-- === 0) throw new LoupeError('engine_crashed', 'The engine stopped.');
      return 'three';
    };
    expect((await run(docvqa(), { answer: crash })).code).toBe(1);
    expect(results()).toHaveLength(3);
    const first = [...asked];
    // As a power cut leaves it.
    appendFileSync(out, '{"id":"491');
    asked = [];
    expect((await run(docvqa())).code).toBe(0);
    expect(asked).toHaveLength(3);
    expect(asked[0]).toBe(first[3]);
    expect(new Set([...first, ...asked]).size).toBe(6);
    expect(new Set(results().map(({ id }) => id)).size).toBe(6);
    // Whole: nothing is left to ask, and no engine is needed.
    asked = [];
    const again = await run(docvqa(), { engine: { load: () => Promise.reject(new Error('not needed')) } });
    expect([again.code, asked]).toEqual([0, []]);
    expect(again.said).toContain('all 6 rows');
  });

  test('by hand: keeps what was judged, shows it, and says how to go on', async () => {
    await make();
    const interrupt = new AbortController();
    const answer = (): string => {
      if (asked.length === 3) interrupt.abort();
      return 'three';
    };
    const { code, said } = await run(docvqa(), { answer, interrupt });
    expect(code).toBe(130);
    expect(results()).toHaveLength(2);
    expect(said).toContain('2 of 6 rows');
    expect(said).toContain('4 rows are left. The same command goes on.\n');
  });

  test('a larger choice goes on from a smaller one; another seed chooses others', async () => {
    await make();
    await run(docvqa('--rows', '2'));
    const two = results().map(({ id }) => id);
    await run(docvqa('--rows', '4'));
    expect(
      results()
        .map(({ id }) => id)
        .slice(0, 2),
    ).toEqual(two);
    expect([asked.length, new Set(asked).size]).toEqual([4, 4]);
    const { code, err } = await run(docvqa('--seed', '2'));
    expect([code, err]).toEqual([
      2,
      `${demo}loupe: ${out} holds results of another run: --seed was 1 and is 2.\nName another file with --out, or remove this one to begin again.\n`,
    ]);
    const other = join(folder, 'other.jsonl');
    asked = [];
    await run(['docvqa', '--folder', folder, '--out', other, '--seed', '2', '--rows', '4']);
    const chosenByOne = results().map(({ id }) => id);
    const chosenByTwo = readFileSync(other, 'utf8')
      .split('\n')
      .slice(1, -1)
      .map((line) => (JSON.parse(line) as Line).id);
    expect(chosenByTwo).not.toEqual(chosenByOne);
  });

  test('does not mix models or devices', async () => {
    await make();
    await run(docvqa('--rows', '2'));
    const other = { ...loaded, device: { ...loaded.device, name: 'Another device' } };
    const elsewhere = await run(docvqa(), { engine: { load: async () => other } });
    expect(elsewhere.err).toContain('the device was Fake device and is Another device.');
    const quantised = { ...loaded, model: { ...loaded.model, weightBytes: 500 } };
    expect((await run(docvqa(), { engine: { load: async () => quantised } })).err).toContain(
      'the size of its weights was 1000 and is 500.',
    );
    expect(results()).toHaveLength(2);
  });

  test('refuses results of a folder that holds other rows', async () => {
    await make();
    await run(docvqa());
    await makeDocvqa(folder, picture);
    expect((await run(docvqa())).err).toContain('which is not in the folder.');
  });

  test('refuses results of questions that were put in other words, or have other answers', async () => {
    await make();
    await run(docvqa());
    const kept = readFileSync(out, 'utf8');
    for (const [from, to] of [
      ['Which is 1?', 'Which is one?'],
      ['["one"]', '["two"]'],
    ] as const) {
      writeFileSync(out, kept.replace(from, to));
      expect((await run(docvqa())).err).toContain('holds a result of 49153, whose question or answers were others.');
    }
  });
});

describe('refuses', () => {
  test.each([
    [[], 'The set is missing.\nKnown: docvqa, chartqa, ai2d, vqav2, textvqa, mmmu, mathvista, documents.'],
    [['imagenet', '--folder', '.'], 'There is no set "imagenet".'],
    [['toString', '--folder', '.'], 'There is no set "toString".'],
    [['docvqa'], '--folder is missing.'],
    [['docvqa', '--folder', '.', '--questions', '3'], 'eval docvqa has no option --questions.'],
    [['documents', '--rows', '3'], 'eval documents has no option --rows.'],
    [['docvqa', 'more', '--folder', '.'], '"more" belongs to no option.'],
    [['docvqa', '--folder', '.', '--rows', '0'], '--rows takes a whole number from 1 on, not "0".'],
    [['docvqa', '--folder', '.', '--temperature', '1'], "Unknown option '--temperature'."],
  ])('%j', async (args, message) => {
    const { code, err } = await run(args);
    expect([code, err.replace(demo, '').startsWith(`loupe: ${message}`)]).toEqual([2, true]);
  });

  test('a file of results that is none, and leaves it as it is', async () => {
    await make();
    for (const text of ['a letter', 'a letter\n', '{"my": "data"}\n{"id": 1}\n']) {
      writeFileSync(out, text);
      const { code, err } = await run(docvqa());
      expect([code, err]).toEqual([2, `${demo}loupe: ${out} is no file of results of \`loupe eval\`.\nName another file with --out.\n`]);
      expect(readFileSync(out, 'utf8')).toBe(text);
    }
  });

  test('a damaged line of results, by its number', async () => {
    await make();
    await run(docvqa('--rows', '2'));
    writeFileSync(out, readFileSync(out, 'utf8').replace(/"score":[\d.]+/, '"score":7'));
    expect((await run(docvqa())).err).toContain(`${out}, line 2: the field score is missing or wrong.`);
  });

  test('to write where another program writes', async () => {
    await make();
    const answer = (): string => {
      if (asked.length === 2) truncateSync(out, 10);
      return 'three';
    };
    const { code, err } = await run(docvqa(), { answer });
    expect([code, err.includes(`Another program writes to ${out}.`)]).toEqual([1, true]);
  });

  test('to begin a file that another run has begun meanwhile, and leaves it to that one', async () => {
    await make();
    let theirs = '';
    const load: Engine['load'] = async () => {
      await run(docvqa('--rows', '2'));
      theirs = readFileSync(out, 'utf8');
      return loaded;
    };
    const { code, err } = await run(docvqa(), { engine: { load } });
    expect([code, err.includes(`Another program writes to ${out}.`)]).toEqual([1, true]);
    expect(readFileSync(out, 'utf8')).toBe(theirs);
  });

  test('a folder to write to that is not there, before the model is loaded', async () => {
    await make();
    const nowhere = join(folder, 'nowhere', 'results.jsonl');
    const { err } = await run(['docvqa', '--folder', folder, '--out', nowhere], {
      engine: { load: () => Promise.reject(new Error('late')) },
    });
    expect(err).toContain(`${nowhere} cannot be written (ENOENT).`);
  });

  test('a model that reads text only, and one that judges, before it asks', async () => {
    await make();
    const blind = { ...loaded, model: { ...loaded.model, vision: null } };
    expect((await run(docvqa(), { engine: { load: async () => blind } })).err).toContain('The demo model reads text only');
    const guard = { ...loaded, promptFormat: 'guard' as const };
    expect((await run(docvqa(), { engine: { load: async () => guard } })).err).toContain('The demo model is a guard');
    expect(asked).toEqual([]);
  });

  test('pictures that are missing, before the model is loaded', async () => {
    await make();
    await rm(join(folder, 'documents/page_2.png'));
    const { err } = await run(docvqa(), { engine: { load: () => Promise.reject(new Error('too late')) } });
    expect(err).toContain('row 3: the picture ');
    // Nothing began, so nothing is left.
    expect(existsSync(out)).toBe(false);
  });

  test('two questions of one name', async () => {
    await make();
    const file = join(folder, 'val_v1.0_withQT.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('49154', '49153'));
    expect((await run(docvqa())).err).toContain(`row 2: 49153 is the name of another question, too (${file}, row 1).`);
  });
});
