/** A process that gives up what no driver needs and then tries it, in a thread that was there before, too; answers each with its code. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { parentChannel } from '../channel.ts';
import { confineEngine } from '../confine.ts';
import { attempt, codeOf } from './attempt.ts';

const folder = process.env['XDG_TEST_FOLDER']!;
const secret = join(folder, 'secret');
const cache = join(folder, 'cache');

const before = new Worker(
  `const { parentPort } = require('node:worker_threads');
   const { writeFileSync } = require('node:fs');
   parentPort.on('message', (file) => {
     try { writeFileSync(file, 'x'); parentPort.postMessage('done'); } catch (error) { parentPort.postMessage(error.code); }
   });
   parentPort.postMessage('here');`,
  { eval: true },
);
await once(before, 'message');
const unconfined = await confineEngine([cache]);
before.postMessage(`${secret}-by-a-thread`);
const [inThread] = (await once(before, 'message')) as [string];
await before.terminate();

parentChannel().send({
  unconfined,
  refused: {
    write: attempt(() => writeFileSync(`${secret}-new`, 'x')),
    append: attempt(() => appendFileSync(secret, 'x')),
    truncate: attempt(() => truncateSync(secret)),
    remove: attempt(() => unlinkSync(secret)),
    rename: attempt(() => renameSync(secret, join(cache, 'taken'))),
    link: attempt(() => symlinkSync(secret, `${secret}-link`)),
    mkdir: attempt(() => mkdirSync(`${secret}-folder`)),
    mode: attempt(() => chmodSync(secret, 0o777)),
    times: attempt(() => utimesSync(secret, 1, 1)),
    run: codeOf(spawnSync('true').error ?? { code: 'done' }),
    connect: await once(connect(80, '127.0.0.1'), 'connect').then(() => 'done', codeOf),
    connectByName: await once(connect(join(folder, 'socket')), 'connect').then(() => 'done', codeOf),
    signal: attempt(() => process.kill(process.ppid, 'SIGCONT')),
    inThread,
  },
  kept: {
    read: attempt(() => readFileSync(secret)),
    cache: attempt(() => writeFileSync(join(cache, 'pipelines'), 'x')),
    parent: attempt(() => process.kill(process.ppid, 0)),
  },
});
