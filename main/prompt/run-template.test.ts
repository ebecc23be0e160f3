import { Template } from '@huggingface/jinja';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseTemplate } from './run-template.ts';

const demo = readFileSync(new URL('../../resources/demo-model/chat_template.jinja', import.meta.url), 'utf8');
const turns = (length: number): object[] =>
  Array.from({ length }, (_, index) => ({
    role: index % 2 ? 'assistant' : 'user',
    content: [{ type: 'text', text: 'word '.repeat(200) }],
  }));

describe('a template that ends', () => {
  test.each([1, 2000])('writes what the library writes, for %s turns', (length) => {
    const variables = { messages: turns(length), add_generation_prompt: true, bos_token: '<|begin_of_text|>', eos_token: '' };
    expect(parseTemplate(demo)(variables)).toBe(new Template(demo).render(variables));
  });

  test.each([
    '{% for i in range(3) %}{{ i }}{% endfor %}',
    '{% for i in range(5, 0, -2) %}{{ i }},{% endfor %}',
    "{{ strftime_now('%Y') }} {{ True }} {{ none }}",
    "{% for i in [1, 2, 3] if i > 1 %}{{ i }}{% endfor %}{{ 'a,b' | upper }}",
  ])('has the names of Jinja: %s', (source) => {
    expect(parseTemplate(source)({})).toBe(new Template(source).render({}));
  });

  test('may refuse', () => {
    expect(() => parseTemplate("{{ raise_exception('no') }}")({})).toThrow('no');
  });
});

test.each([
  [
    'loops in loops',
    '{% for i in range(99999) %}{% for j in range(99999) %}{% for k in range(99999) %}{% endfor %}{% endfor %}{% endfor %}',
  ],
  ['loops with a condition', '{% for i in range(9999) %}{% for j in range(9999) if j < 0 %}{% endfor %}{% endfor %}'],
  [
    'filters over long lists',
    "{% set l = range(99999) | list %}{% for i in range(9999) %}{% set x = l | map('string') | join %}{% endfor %}",
  ],
  ['a text that doubles', "{% set n = namespace(t='x') %}{% for i in range(64) %}{% set n.t = n.t ~ n.t %}{% endfor %}{{ n.t }}"],
  ['a list that doubles', '{% set n = namespace(t=[1]) %}{% for i in range(64) %}{% set n.t = n.t + n.t %}{% endfor %}{{ n.t | length }}'],
  ['a macro that calls itself', '{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}'],
  ['a range without end', '{{ range(1000000000000) | length }}'],
  ['a range of nothing', '{{ range(0, 1, 0) | length }}'],
])('%s come to an end all the same', (_, source) => {
  expect(() => parseTemplate(source)({})).toThrow();
});

test('one that is far too long is not parsed', () => {
  expect(() => parseTemplate(' '.repeat(70_000))).toThrow('70000 characters');
});
