import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hubToken, sessionSecrets } from './secrets.ts';
import { write } from '../test/write-model.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loupe-token-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('what Loupe was given comes first, then the environment, then the file of the tools', async () => {
  write(folder, { token: 'hf_tools\n' });
  const secrets = sessionSecrets();
  const environment: NodeJS.ProcessEnv = { HF_HOME: folder };
  expect(await hubToken(secrets, environment)).toEqual({ value: 'hf_tools', source: 'tools' });
  environment['HF_TOKEN'] = ' hf_named ';
  expect(await hubToken(secrets, environment)).toEqual({ value: 'hf_named', source: 'environment' });
  await secrets.set('hub-token', 'hf_own');
  expect(await hubToken(secrets, environment)).toEqual({ value: 'hf_own', source: 'own' });
  await secrets.set('hub-token', null);
  expect((await hubToken(secrets, environment))?.source).toBe('environment');
});

test('where the tools keep it', async () => {
  write(folder, { 'cache/huggingface/token': 'hf_cache', named: 'hf_path' });
  expect((await hubToken(sessionSecrets(), { XDG_CACHE_HOME: join(folder, 'cache') }))?.value).toBe('hf_cache');
  expect((await hubToken(sessionSecrets(), { XDG_CACHE_HOME: join(folder, 'cache'), HF_TOKEN_PATH: join(folder, 'named') }))?.value).toBe(
    'hf_path',
  );
});

test.each(['', 'two words', 'line\nbreak', 'x'.repeat(5000), '\0'])('a file that holds no token is none: %j', async (content) => {
  writeFileSync(join(folder, 'token'), content);
  expect(await hubToken(sessionSecrets(), { HF_HOME: folder })).toBeNull();
});
