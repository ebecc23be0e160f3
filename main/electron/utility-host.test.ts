import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { UtilityProcess } from 'electron';
import { expect, test, vi } from 'vitest';
import { createEngineClient } from '../engine/client.ts';
import { parentChannel } from '../process/channel.ts';
import { startUtilityHost } from './utility-host.ts';

class ProcessDouble extends EventEmitter {
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  pid: number | undefined;
  readonly sent: unknown[] = [];
  killed = false;
  postMessage(message: unknown): void {
    this.sent.push(message);
  }
  kill(): boolean {
    this.killed = true;
    return true;
  }
}

function start(): { child: ProcessDouble; fork: ReturnType<typeof vi.fn>; host: ReturnType<typeof startUtilityHost>; logged: string[] } {
  const child = new ProcessDouble();
  const fork = vi.fn(() => child as unknown as UtilityProcess);
  const logged: string[] = [];
  const host = startUtilityHost({
    fork,
    entry: '/app/host.js',
    name: 'Loupe engine',
    env: { LOUPE_ADDON: '/a', NOTHING: undefined },
    log: (what) => logged.push(what),
  });
  return { child, fork, host, logged };
}

test('is started with what it needs', () => {
  const { fork } = start();
  const env = { LOUPE_ADDON: '/a', LOUPE_PARENT: String(process.pid) };
  expect(fork).toHaveBeenCalledWith('/app/host.js', [], { stdio: ['ignore', 'pipe', 'pipe'], serviceName: 'Loupe engine', env });
});

test('messages pass both ways until it ends', () => {
  const { child, host } = start();
  const received: unknown[] = [];
  host.onMessage((message) => received.push(message));
  host.send({ type: 'devices', id: 1 });
  child.emit('message', { type: 'ready' });
  child.emit('exit', 0);
  host.send({ type: 'late' });
  expect(child.sent).toEqual([{ type: 'devices', id: 1 }]);
  expect(received).toEqual([{ type: 'ready' }]);
});

test('an end is logged unless it was asked for', () => {
  const crashed = start();
  crashed.child.emit('exit', 139);
  expect(crashed.logged).toEqual(['the process Loupe engine ended with code 139']);
  const done = start();
  done.child.emit('exit', 0);
  const killed = start();
  killed.host.kill();
  killed.child.emit('exit', 9);
  expect([...done.logged, ...killed.logged]).toEqual([]);
});

test('beats are heard among what drivers print, and a process that is stopped is ended at once', async () => {
  const { child, host } = start();
  const beats: unknown[] = [];
  host.onBeat((beat) => beats.push(beat));
  child.stdout.write(Buffer.concat([Buffer.from('driver 1.0\n'), Buffer.of(0x81)]));
  await vi.waitFor(() => expect(beats).toEqual([{ moved: true, stage: 'none' }]));
  const sleeper = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const exited = once(sleeper, 'exit');
  sleeper.kill('SIGSTOP');
  child.pid = sleeper.pid;
  host.kill();
  expect(await exited).toEqual([null, 'SIGKILL']);
  // Electron clears up.
  expect(child.killed).toBe(true);
  child.emit('exit', 0);
  // The number may be another process's by now.
  child.pid = process.pid;
  host.kill();
});

test('the end is told with the last words, also when they come after it', async () => {
  const { child, host } = start();
  const exits: unknown[] = [];
  host.onExit((exit) => exits.push(exit));
  child.stderr.write('driver: ');
  child.emit('exit', 139);
  child.stderr.end('gone\n');
  await vi.waitFor(() => expect(exits).toEqual([{ code: 139, signal: null, lastWords: 'driver: gone' }]));
});

test('a stderr that stays open does not hide the end', async () => {
  const { child, host } = start();
  const exits: unknown[] = [];
  host.onExit((exit) => exits.push(exit));
  child.emit('error', 'FatalError', 'v8::Heap', '');
  child.emit('exit', 5);
  await vi.waitFor(() => expect(exits).toEqual([{ code: 5, signal: null, lastWords: 'FatalError in v8::Heap' }]));
});

test('the engine client starts, asks and closes over it', async () => {
  const { child, host } = start();
  const client = createEngineClient({ spawn: () => host, closeGraceMs: 20 });
  child.kill = () => {
    child.emit('exit', 0);
    return true;
  };
  const devices = client.devices();
  child.emit('message', { type: 'ready' });
  await vi.waitFor(() => expect(child.sent).toHaveLength(1));
  child.emit('message', { type: 'done', id: (child.sent[0] as { id: number }).id, result: [] });
  expect(await devices).toEqual([]);
  await client.close();
  expect(child.sent.at(-1)).toEqual({ type: 'exit' });
});

test('the far end speaks to its parent through parentPort', async () => {
  const port = Object.assign(new EventEmitter(), { postMessage: vi.fn() });
  Object.defineProperty(process, 'parentPort', { value: port, configurable: true });
  try {
    const channel = parentChannel();
    const received: unknown[] = [];
    channel.onMessage((message) => received.push(message));
    channel.send({ type: 'ready' });
    port.emit('message', { data: { type: 'exit' } });
    await sleep(0);
    expect(port.postMessage).toHaveBeenCalledWith({ type: 'ready' });
    expect(received).toEqual([{ type: 'exit' }]);
  } finally {
    delete (process as { parentPort?: unknown }).parentPort;
  }
});
