import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { GgufValue } from '../native-surface.ts';
import { demoModel } from '../host/paths.ts';
import { readCheckpointFiles, type CheckpointFiles } from './checkpoint-files.ts';
import { ggufEntries } from './gguf-entries.ts';
import { ggufCheckpointFiles } from './gguf-files.ts';
import { promptLanguage } from './prompt.ts';
import { createStopTexts, stopsOf, turnEnd } from './stops.ts';

const [endOfText, eom, eot, reserved] = [420, 424, 425, 427];
const specialTokens = new Map([
  ['<|reserved_special_token_0|>', reserved],
  ['<|end_of_text|>', endOfText],
  ['<|eom_id|>', eom],
  ['<|eot_id|>', eot],
]);

describe('how an end is spelled', () => {
  test.each([
    ['<|eot_id|><|start_header_id|>user', '<|eot_id|>'],
    ['\n<|end_of_text|>\n', '<|end_of_text|>'],
    // ChatML in a vocabulary that never got its tokens.
    ['<|im_end|>\n<|im_start|>user\n', '<|im_end|>'],
    ['</s><|eot_id|>', '</s>'],
    ['\n\n### Instruction:\n', '\n\n### Instruction:'],
    [' USER: ', null],
    ['\n', null],
    ['', null],
  ])('between an answer and the next question stands %j', (between, end) => {
    expect(turnEnd(between, { specialTokens })).toBe(end);
  });

  test('special tokens are tokens, wherever they stand; all else is text', () => {
    const spelled = ['<|eot_id|>', '\n<|end_of_text|>', 'User:', '', '<|im_end|>'];
    expect(stopsOf(spelled, { specialTokens })).toEqual({ tokens: [eot, endOfText], texts: ['User:', '<|im_end|>'] });
  });
});

describe('ends that are written with ordinary tokens', () => {
  const cut = (texts: string[], pieces: string[]): { shown: string[]; ended: boolean } => {
    const stops = createStopTexts(texts);
    const shown: string[] = [];
    for (const piece of pieces) {
      const { text, ended } = stops.push(piece);
      if (text !== '') shown.push(text);
      if (ended) return { shown, ended };
    }
    const rest = stops.rest();
    return { shown: rest === '' ? shown : [...shown, rest], ended: false };
  };

  test('no end: every piece at once', () => {
    expect(cut([], ['a', 'b<'])).toEqual({ shown: ['a', 'b<'], ended: false });
    expect(cut(['###'], ['a', 'b'])).toEqual({ shown: ['a', 'b'], ended: false });
  });

  test('however an end is cut into pieces, what stands before it is shown, and nothing of it', () => {
    const [before, end] = ['Yes. 👍 ', '\n\n### Instruction:'];
    const text = `${before}${end} more`;
    for (let size = 1; size <= text.length; size++) {
      const pieces = text.match(new RegExp(`[^]{1,${size}}`, 'g'))!;
      const { shown, ended } = cut([end], pieces);
      expect({ size, text: shown.join(''), ended }).toEqual({ size, text: before, ended: true });
    }
  });

  test('what only begins like an end is shown once that is known', () => {
    expect(cut(['abc'], ['xa', 'b', 'd', 'ab'])).toEqual({ shown: ['x', 'abd', 'ab'], ended: false });
    expect(cut(['aab'], ['a', 'a', 'a', 'b', 'c'])).toEqual({ shown: ['a'], ended: true });
  });

  test('of several the earliest counts', () => {
    expect(cut(['dog', 'cat'], ['a cat and a dog'])).toEqual({ shown: ['a '], ended: true });
    expect(cut(['abcd', 'bc'], ['ab', 'cx'])).toEqual({ shown: ['a'], ended: true });
  });
});

describe('what ends an answer of a checkpoint', () => {
  let demo: CheckpointFiles;
  beforeAll(async () => {
    demo = await readCheckpointFiles(demoModel);
  });
  /** Declared as by exports of spring 2024. */
  const early = (more: Partial<CheckpointFiles> = {}): CheckpointFiles => ({
    ...demo,
    generationConfig: { eos_token_id: endOfText },
    tokenizerConfig: { ...demo.tokenizerConfig, eos_token: '<|end_of_text|>' },
    ...more,
  });
  const ends = (files: CheckpointFiles, stops?: string[]) => {
    const { format, stops: found } = promptLanguage(files, stops);
    return { kind: format.kind, tokens: found.tokens.toSorted(), texts: found.texts };
  };
  const chatml =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}" +
    "{{ '<|im_start|>assistant\n' }}";
  const all = [endOfText, eom, eot];

  test('the end of a turn out of the template, beside what is declared', () => {
    expect(ends(early())).toEqual({ kind: 'template', tokens: all, texts: [] });
    const other = demo.chatTemplate!.replaceAll('<|eot_id|>', '<|reserved_special_token_0|>');
    expect(ends(early({ chatTemplate: other }))).toEqual({ kind: 'template', tokens: [...all, reserved], texts: [] });
    expect(ends(early({ chatTemplate: chatml }))).toEqual({ kind: 'template', tokens: all, texts: ['<|im_end|>'] });
  });

  test('a template that refuses to be asked for several turns', () => {
    const once = "{% if messages | length > 1 %}{{ raise_exception('once') }}{% endif %}{{ messages[0]['content'] }}";
    expect(ends(early({ chatTemplate: once }))).toEqual({ kind: 'template', tokens: all, texts: [] });
  });

  test("Llama Guard's template wraps a conversation, whose end is not that of a verdict", () => {
    const guard = readFileSync(new URL('../../fixtures/systems/templates/guard.jinja', import.meta.url), 'utf8');
    expect(ends(early({ chatTemplate: guard }))).toEqual({ kind: 'guard', tokens: all, texts: [] });
  });

  test('no template: the end that the tokenizer or the keeper of the model names says that it chats', () => {
    const bare = early({ chatTemplate: null });
    expect(ends(bare)).toEqual({ kind: 'completion', tokens: [endOfText], texts: [] });
    expect(ends({ ...bare, tokenizerConfig: { eos_token: { content: '<|eot_id|>' } } })).toEqual({
      kind: 'llama3',
      tokens: all,
      texts: [],
    });
    expect(ends(bare, ['<|eot_id|>', 'User:'])).toEqual({ kind: 'llama3', tokens: all, texts: ['User:'] });
  });

  test('a word of the vocabulary ends nothing: 2 is what Llama 2 ends with, and a base model ends at the end of the text', () => {
    expect(ends({ ...demo, generationConfig: { eos_token_id: [2, eot] } }).tokens).toEqual(all);
    expect(ends(early({ chatTemplate: null, generationConfig: { eos_token_id: 2 }, tokenizerConfig: null }))).toEqual({
      kind: 'completion',
      tokens: [endOfText],
      texts: [],
    });
  });

  test('the keys of GGUF, and a template there that knows no pictures', () => {
    const metadata = (more: Record<string, GgufValue>): Map<string, GgufValue> => {
      const entries = ggufEntries(early({ chatTemplate: null }));
      return new Map<string, GgufValue>([
        ...entries,
        ['general.architecture', 'mllama'],
        ['tokenizer.ggml.bos_token_id', 419],
        ...Object.entries(more),
      ]);
    };
    const of = (more: Record<string, GgufValue>) => ends(ggufCheckpointFiles(metadata(more), 'x.gguf'));
    expect(of({ 'tokenizer.ggml.eos_token_id': endOfText })).toMatchObject({ kind: 'completion', tokens: [endOfText] });
    expect(of({ 'tokenizer.ggml.eos_token_id': endOfText, 'tokenizer.ggml.eot_token_id': eot })).toMatchObject({
      kind: 'llama3',
      tokens: all,
    });
    expect(of({ 'tokenizer.ggml.eos_token_id': eot })).toMatchObject({ kind: 'llama3', tokens: all });
    expect(of({ 'tokenizer.ggml.eos_token_ids': [endOfText, eot] })).toMatchObject({ kind: 'llama3', tokens: all });
    const textOnly = "{% for message in messages %}{{ message['content'] + '<|eot_id|>' }}{% endfor %}";
    expect(of({ 'tokenizer.ggml.eos_token_id': endOfText, 'tokenizer.chat_template': textOnly })).toMatchObject({
      kind: 'llama3',
      tokens: all,
    });
  });

  test('a quantised copy keeps the end that only the tokenizer names', () => {
    const files = early({ chatTemplate: null, tokenizerConfig: { eos_token: '<|eot_id|>' } });
    expect(ggufEntries(files)).toContainEqual(['tokenizer.ggml.eot_token_id', eot]);
    expect(ggufEntries(demo).map(([key]) => key)).not.toContain('tokenizer.ggml.eot_token_id');
  });
});
