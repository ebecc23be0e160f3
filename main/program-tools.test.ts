/** What assistants are told of the tools' arguments is what the tools take. */
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { programToolSchema } from './contract.ts';
import { mostPlaces, mostQuestionCharacters, programTools, toolArguments } from './program-tools.ts';

const names = programToolSchema.options;

test.each(names)('%s: the same arguments, of which the same are needed', (name) => {
  const { properties, required } = programTools[name].inputSchema;
  const { entries } = toolArguments[name];
  expect(Object.keys(properties)).toEqual(Object.keys(entries));
  const needed = Object.entries(entries).filter(([, schema]) => !v.is(schema as v.GenericSchema, undefined));
  expect(needed.map(([key]) => key)).toEqual(required);
});

const right = {
  capture_and_ask: { question: 'Why?' },
  ask_about_file: { path: '/a.png', question: 'Why?', page: 2 },
  search_history: { query: 'zebra', limit: mostPlaces },
} as const;
const wrong = {
  capture_and_ask: [{}, { question: ' ' }, { question: 'x'.repeat(mostQuestionCharacters + 1) }, { question: 'Why?', display: 1 }],
  ask_about_file: [
    { path: '', question: 'Why?' },
    { path: '/a.png', question: 'Why?', page: 0 },
    { path: ['/a.png'], question: 'Why?' },
  ],
  search_history: [{ query: '' }, { query: 'x'.repeat(201) }, { query: 'zebra', limit: mostPlaces + 1 }, { query: 'zebra', private: true }],
} as const;

test.each(names)('%s: takes what it says, and nothing else', (name) => {
  const takes = (given: unknown): boolean => v.is(toolArguments[name] as v.GenericSchema, given);
  expect(takes(right[name])).toBe(true);
  expect(wrong[name].filter(takes)).toEqual([]);
});
