import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog } from './log.ts';
import { LoupeError } from '../errors.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loupe-log-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const now = (): Date => new Date(Date.UTC(2026, 10, 24, 23, 0, 0));
const read = (name = 'loupe.log'): string => readFileSync(join(directory, name), 'utf8');

test('a line says when and what', () => {
  createLog(directory, { now })('started');
  expect(read()).toBe('2026-11-24T23:00:00.000Z started\n');
});

test('an error is told without the words that it may quote', () => {
  const log = createLog(directory, { now });
  log(new LoupeError('internal', 'Unexpected token in "my diary"', undefined, { cause: new SyntaxError('my diary, page two') }));
  log({ text: 'my diary' });
  expect(read()).toMatch(/LoupeError \(internal\)\n\s+at .*log\.test\.ts.*[^]*because of SyntaxError\n\s+at .*log\.test\.ts/);
  expect(read()).toContain('something thrown: object');
  expect(read()).not.toContain('diary');
});

test('a message of several lines does not pass for a stack', () => {
  createLog(directory, { now })(new Error('first\n    at the dentist\n  second'));
  expect(read()).not.toMatch(/dentist|second/);
  expect(read()).toContain('log.test.ts');
});

test('files are put aside when they have grown, and only so many are kept', () => {
  const log = createLog(directory, { now, maxBytes: 100, keep: 2 });
  for (let line = 0; line < 40; line++) log(`line ${line}`);
  expect(readdirSync(directory).sort()).toEqual(['loupe.1.log', 'loupe.2.log', 'loupe.log']);
  expect(read('loupe.log')).toContain('line 39');
  expect(read('loupe.1.log').length).toBeLessThan(200);
});

test('a folder that cannot be written to is no failure', () => {
  writeFileSync(join(directory, 'file'), '');
  createLog(join(directory, 'file'), { now })('started');
});
