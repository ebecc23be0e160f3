import { Readable } from 'node:stream';
import { expect, test, vi } from 'vitest';
import type { ToolRequest } from '../api/call.ts';
import { LoupeError } from '../errors.ts';
import type { ToolAnswer } from '../program-tools.ts';
import { createMcpServer, mostCalls, progressMs } from './mcp-server.ts';
import { runLoupe } from './run.ts';
import type { Terminal } from './terminal.ts';
import { terminalDouble } from './test/terminal-double.ts';

interface Message {
  id?: number | string | null;
  result?: { [field: string]: unknown };
  error?: { code: number; message: string };
}

type CallTool = Terminal['callTool'];

/** Runs the command on these lines, objects written as JSON, and returns what it answers. */
async function speak(lines: (object | string)[], callTool?: CallTool, args = ['--key', 'the-key']): Promise<Message[]> {
  const input = Readable.from(lines.map((line) => Buffer.from(typeof line === 'string' ? line : `${JSON.stringify(line)}\n`)));
  const terminal = terminalDouble({ input: () => input, ...(callTool && { callTool }) });
  expect(await runLoupe(['mcp', ...args], terminal)).toBe(0);
  expect(terminal.said.err).toBe('');
  return terminal.said.out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Message);
}

const request = (id: number | string, method: string, params?: object): object => ({ jsonrpc: '2.0', id, method, params });
const hello = (name = 'notes', protocolVersion = '2025-11-25'): object =>
  request(0, 'initialize', { protocolVersion, capabilities: {}, clientInfo: { name, version: '1' } });
const call = (id: number, more: object = {}): object =>
  request(id, 'tools/call', { name: 'search_history', arguments: { query: 'zebra' }, ...more });

/** Answers with what it was asked; keeps that. */
function tool(answer: (asked: ToolRequest, signal: AbortSignal) => ToolAnswer | Promise<ToolAnswer> = () => ({ texts: ['yes'] })) {
  const asked: (ToolRequest & { port: number; key: string })[] = [];
  const callTool: CallTool = async (address, request, signal) => {
    asked.push({ ...address, ...request });
    return answer(request, signal);
  };
  return { asked, callTool };
}

test('says who it is, in the version of the protocol that both know', async () => {
  const [answer] = await speak([hello()]);
  expect(answer).toMatchObject({
    id: 0,
    result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'loupe', title: 'Loupe' } },
  });
  expect((await speak([hello('notes', '2024-11-05')]))[0]?.result).toMatchObject({ protocolVersion: '2024-11-05' });
  expect((await speak([hello('notes', '2031-01-01')]))[0]?.result).toMatchObject({ protocolVersion: '2025-11-25' });
});

test('lists its tools, answers pings, and keeps still about notifications', async () => {
  const answers = await speak([
    hello(),
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    { jsonrpc: '2.0', method: 'notifications/of-tomorrow' },
    request('a', 'ping'),
    request('b', 'tools/list'),
  ]);
  expect(answers.map(({ id }) => id)).toEqual([0, 'a', 'b']);
  expect(answers[1]?.result).toEqual({});
  const { tools } = answers[2]!.result as { tools: { name: string; annotations: object }[] };
  expect(tools.map(({ name }) => name)).toEqual(['capture_and_ask', 'ask_about_file', 'search_history']);
  for (const { annotations } of tools) expect(annotations).toEqual({ readOnlyHint: true, openWorldHint: false });
});

test('calls Loupe at the port and with the key that it was given, by the name of the program', async () => {
  const { asked, callTool } = tool();
  const answers = await speak([hello('claude-ai'), call(1)], callTool, ['--port', '4000', '--key', 'another-key']);
  expect(asked).toEqual([{ port: 4000, key: 'another-key', tool: 'search_history', program: 'claude-ai', arguments: { query: 'zebra' } }]);
  expect(answers[1]).toMatchObject({ id: 1, result: { content: [{ type: 'text', text: 'yes' }] } });
});

test('what fails is a result that says what to do', async () => {
  const { callTool } = tool(() => {
    throw new LoupeError('image_missing', '/a.png is not there.', 'Name another.');
  });
  const answers = await speak([hello(), call(1)], callTool);
  expect(answers[1]?.result).toEqual({ isError: true, content: [{ type: 'text', text: '/a.png is not there. Name another.' }] });
});

test('without a key it starts all the same, and says what is missing when it is called', async () => {
  vi.stubEnv('LOUPE_API_KEY', '');
  const answers = await speak([hello(), call(1)], undefined, []);
  vi.unstubAllEnvs();
  expect(answers[1]?.result).toMatchObject({
    isError: true,
    content: [{ text: expect.stringContaining('Settings > For programs') as string }],
  });
});

test('who cancels gets no answer, and what is being answered is stopped', async () => {
  const begun = Promise.withResolvers<void>();
  const stopped: number[] = [];
  const { callTool } = tool(async (_, signal) => {
    begun.resolve();
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        stopped.push(1);
        reject(new LoupeError('cancelled', 'Cancelled.'));
      });
    });
  });
  async function* lines(): AsyncGenerator<Buffer> {
    const write = (line: object): Buffer => Buffer.from(`${JSON.stringify(line)}\n`);
    yield write(hello());
    yield write(call(1));
    await begun.promise;
    yield write({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 2 } });
    expect(stopped).toEqual([]);
    yield write({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1, reason: 'enough' } });
    yield write(request(3, 'ping'));
  }
  const terminal = terminalDouble({ input: () => Readable.from(lines()), callTool });
  await runLoupe(['mcp', '--key', 'k'], terminal);
  expect(stopped).toEqual([1]);
  expect(
    terminal.said.out
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as Message).id),
  ).toEqual([0, 3]);
});

test('when the assistant ends, so does what it has asked', async () => {
  let wasStopped = false;
  const { callTool } = tool(
    (_, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(Error(String((wasStopped = true)))))),
  );
  expect((await speak([hello(), call(1)], callTool)).map(({ id }) => id)).toEqual([0]);
  expect(wasStopped).toBe(true);
});

test('Ctrl-C ends it while it waits for the assistant', async () => {
  const interrupt = new AbortController();
  const input = new Readable({ read: () => {} });
  const terminal = terminalDouble({ input: () => input, interrupted: interrupt.signal, inputIsTerminal: true });
  const run = runLoupe(['mcp', '--key', 'k'], terminal);
  interrupt.abort();
  expect(await run).toBe(0);
  expect(terminal.said.err).toContain('for assistants');
});

test('what is no call is refused by its own id, and ends nothing', async () => {
  const { asked, callTool } = tool();
  const answers = await speak(
    [
      call(1),
      hello(),
      '{ no json\n',
      '[1,2]\n',
      `[${JSON.stringify(request(2, 'ping'))}]\n`,
      `${'['.repeat(50)}${']'.repeat(50)}\n`,
      { jsonrpc: '1.0', id: 3, method: 'ping' },
      { jsonrpc: '2.0', id: 4, result: {} },
      { jsonrpc: '2.0', id: null, method: 'ping' },
      { jsonrpc: '2.0', id: 1.5, method: 'ping' },
      request(5, 'resources/list'),
      request(6, 'toString'),
      call(7, { name: 'delete_everything' }),
      request(8, 'tools/call', { arguments: {} }),
      request(9, 'initialize', { protocolVersion: '2025-11-25' }),
      '\r\n',
      request(10, 'ping'),
    ],
    callTool,
  );
  expect(answers.map(({ id, error }) => [id, error?.code])).toEqual([
    [1, -32_600],
    [0, undefined],
    [null, -32_700],
    [null, -32_600],
    [null, -32_600],
    [null, -32_700],
    [3, -32_600],
    [4, -32_600],
    [null, -32_600],
    [null, -32_600],
    [5, -32_601],
    [6, -32_601],
    [7, -32_602],
    [8, -32_602],
    [9, -32_602],
    [10, undefined],
  ]);
  expect(asked).toEqual([]);
});

test('a line without end is read past, in pieces of any size; characters that lie across two stay whole', async () => {
  const text = `${JSON.stringify(request(1, 'ping', { note: 'schöne Grüße' }))}\n`;
  const bytes = Buffer.from(text);
  const input = Readable.from([
    ...Array.from({ length: 30 }, () => Buffer.from('x'.repeat(100_000))),
    Buffer.from('\n'),
    ...Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)),
    // The last line of a pipe may lack its end.
    Buffer.from(text.trim().replace('"id":1', '"id":2')),
  ]);
  const terminal = terminalDouble({ input: () => input });
  await runLoupe(['mcp', '--key', 'k'], terminal);
  const answers = terminal.said.out
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Message);
  expect(answers).toEqual([
    { jsonrpc: '2.0', id: null, error: { code: -32_700, message: 'The line is longer than Loupe reads.' } },
    { jsonrpc: '2.0', id: 1, result: {} },
    { jsonrpc: '2.0', id: 2, result: {} },
  ]);
});

test('a program that wants to hears that it is not forgotten, until it has its answer', async () => {
  vi.useFakeTimers();
  try {
    const lines: unknown[] = [];
    const answers = [Promise.withResolvers<ToolAnswer>(), Promise.withResolvers<ToolAnswer>()];
    let calls = 0;
    const server = createMcpServer({
      version: '1',
      call: () => answers[calls++]!.promise,
      write: (line) => lines.push(JSON.parse(line)),
    });
    const take = (message: object): void => server.take(JSON.stringify(message));
    take(hello());
    take(call(1, { _meta: { progressToken: 'abc' } }));
    take(call(2));
    lines.length = 0;
    vi.advanceTimersByTime(2 * progressMs);
    const told = (progress: number): unknown => ({
      ...{ jsonrpc: '2.0', method: 'notifications/progress' },
      params: { progressToken: 'abc', progress, message: expect.any(String) as string },
    });
    expect(lines).toEqual([told(1), told(2)]);
    for (const { resolve } of answers) resolve({ texts: ['yes'] });
    await server.close();
    lines.length = 0;
    vi.advanceTimersByTime(2 * progressMs);
    expect(lines).toEqual([]);
  } finally {
    vi.useRealTimers();
  }
});

test('a program has so many calls under way, each of its own id', async () => {
  const { asked, callTool } = tool(
    (_, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('left')))),
  );
  const calls = Array.from({ length: mostCalls + 1 }, (_, index) => call(index + 1));
  const answers = await speak([hello(), call(1), ...calls], callTool);
  expect(asked).toHaveLength(mostCalls);
  expect(answers.slice(1).map(({ id, error }) => [id, error?.message.split('.')[0]])).toEqual([
    [1, 'A call with this id is being answered'],
    [mostCalls + 1, `${mostCalls} calls are being answered`],
  ]);
});
