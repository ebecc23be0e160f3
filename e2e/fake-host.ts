/** The whole app but the engine, for working on the window: `node e2e/fake-host.ts [--data DIR] [--port N] [--word-ms N]`. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createFakeEngine } from '../main/engine/fake.ts';
import { serve } from '../main/web/serve.ts';

const { values } = parseArgs({ options: { data: { type: 'string' }, port: { type: 'string', default: '0' }, 'word-ms': { type: 'string', default: '30' } } });
const { host, close } = await serve({
  startEngine: () => createFakeEngine({ wordMs: Number(values['word-ms']), contextLength: 8192 }),
  version: '0.0.0',
  dataDirectory: values.data ?? mkdtempSync(join(tmpdir(), 'loupe-fake-')),
  port: Number(values.port),
});
process.stdout.write(`${host.link()}\n`);
process.once('SIGTERM', () => void close());
process.once('SIGINT', () => void close());
