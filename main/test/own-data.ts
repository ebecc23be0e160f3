/** For every test: a data folder of its own where it names none, so that none touches the conversations of whoever runs it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'loupe-test-'));
process.env['LOUPE_DATA'] = join(folder, 'data');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
