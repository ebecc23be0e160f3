/** A process that gives up its rights and then tries what it must not be able to do; answers each with the error's code, or "done". */
import { spawnSync } from 'node:child_process';
import { fstatSync, readFileSync, readdirSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { parentChannel } from '../channel.ts';
import { confineProcess } from '../confine.ts';
import { attempt, codeOf } from './attempt.ts';

const [file = ''] = [process.env['XDG_TEST_FILE']];
const unconfined = confineProcess();

async function attemptEvents(emitter: NodeJS.EventEmitter, event: string): Promise<string> {
  return once(emitter, event).then(() => 'done', codeOf);
}

const udp = (): string => attempt(() => createSocket('udp4').bind(0));
/** In a thread that begins afterwards, and tries for itself. */
const thread = new Worker(
  `const { parentPort } = require('node:worker_threads');
   try { require('node:fs').readFileSync(${JSON.stringify(file)}); parentPort.postMessage('done'); } catch (error) { parentPort.postMessage(error.code); }`,
  { eval: true },
);
const [inThread] = (await once(thread, 'message')) as [string];

parentChannel().send({
  unconfined,
  refused: {
    read: attempt(() => readFileSync(file)),
    stat: attempt(() => statSync(file)),
    list: attempt(() => readdirSync('/')),
    write: attempt(() => writeFileSync(`${file}-new`, 'x')),
    remove: attempt(() => unlinkSync(file)),
    link: attempt(() => symlinkSync(file, `${file}-link`)),
    run: codeOf(spawnSync('true').error ?? { code: 'done' }),
    connect: await attemptEvents(connect(80, '127.0.0.1'), 'connect'),
    listen: await attemptEvents(createServer().listen(0, '127.0.0.1'), 'listening'),
    signal: attempt(() => process.kill(process.ppid, 'SIGCONT')),
    inThread,
  },
  udp: udp(),
  /** What it goes on with: open files, threads, whether its parent lives. */
  kept: { open: attempt(() => fstatSync(1)), parent: attempt(() => process.kill(process.ppid, 0)) },
});
