import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { RequestFailure } from './transport.ts';
import { websocketTransport } from './websocket.ts';

/** A socket whose other end is the test. */
class FakeSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 3;
  static readonly all: FakeSocket[] = [];
  readyState = FakeSocket.CONNECTING;
  readonly sent: { id: number; name: string; input: unknown }[] = [];

  constructor() {
    super();
    FakeSocket.all.push(this);
  }

  send(frame: string): void {
    this.sent.push(JSON.parse(frame) as (typeof this.sent)[number]);
  }

  open(): void {
    this.readyState = FakeSocket.OPEN;
    this.dispatchEvent(new Event('open'));
  }

  say(message: unknown): void {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }));
  }

  end(): void {
    this.readyState = FakeSocket.CLOSED;
    this.dispatchEvent(new Event('close'));
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all.length = 0;
  vi.stubGlobal('WebSocket', FakeSocket);
  vi.stubGlobal('window', new EventTarget());
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const last = () => FakeSocket.all.at(-1)!;

test('requests wait for the connection, and answers find their requests in any order', async () => {
  const transport = websocketTransport('ws://test/socket', 'key');
  const first = transport.request('a', 1);
  const second = transport.request('b', 2);
  expect(last().sent).toEqual([]);
  last().open();
  expect(last().sent).toEqual([
    { id: 1, name: 'a', input: 1 },
    { id: 2, name: 'b', input: 2 },
  ]);
  last().say({ id: 2, ok: true, output: 'two' });
  last().say({ id: 1, ok: true, output: 'one' });
  expect(await first).toMatchObject({ output: 'one' });
  expect(await second).toMatchObject({ output: 'two' });
});

test('a request that was under way when the connection ended fails, and is not sent again', async () => {
  const transport = websocketTransport('ws://test/socket', 'key');
  last().open();
  const lost = transport.request('chat.send', {});
  last().end();
  await expect(lost).rejects.toBeInstanceOf(RequestFailure);
  await vi.advanceTimersByTimeAsync(1_000);
  last().open();
  expect(last().sent).toEqual([]);
});

test('a request that was not sent yet survives a failed attempt to connect', async () => {
  const request = websocketTransport('ws://test/socket', 'key').request('settings.get', {});
  last().end();
  await vi.advanceTimersByTimeAsync(250);
  last().open();
  last().say({ id: 1, ok: true, output: 'kept' });
  expect(await request).toMatchObject({ output: 'kept' });
});

test('connects again with growing pauses, and says so', async () => {
  const transport = websocketTransport('ws://test/socket', 'key');
  const states: boolean[] = [];
  transport.onConnection((connected) => states.push(connected));
  last().open();
  last().end();
  await vi.advanceTimersByTimeAsync(250);
  expect(FakeSocket.all).toHaveLength(2);
  last().end();
  await vi.advanceTimersByTimeAsync(250);
  expect(FakeSocket.all).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(250);
  expect(FakeSocket.all).toHaveLength(3);
  last().open();
  expect(states).toEqual([true, false, false, true]);
});

test('tries at once when the reader comes back', () => {
  websocketTransport('ws://test/socket', 'key');
  last().end();
  window.dispatchEvent(new Event('focus'));
  expect(FakeSocket.all).toHaveLength(2);
});

test('a request that finds no connection for ten seconds fails', async () => {
  const request = websocketTransport('ws://test/socket', 'key').request('a', 1);
  const failure = expect(request).rejects.toMatchObject({ code: 'disconnected' });
  await vi.advanceTimersByTimeAsync(10_000);
  await failure;
});

test('events are handed on as they come', () => {
  const transport = websocketTransport('ws://test/socket', 'key');
  const heard: unknown[] = [];
  transport.onEvent((message) => heard.push(message));
  last().open();
  last().say({ event: 'x', payload: 1 });
  last().dispatchEvent(new MessageEvent('message', { data: 'no json' }));
  expect(heard).toEqual([{ event: 'x', payload: 1 }]);
});
