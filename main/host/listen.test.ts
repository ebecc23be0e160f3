import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { listenFailure, listenHere } from './listen.ts';
import { describeHolder, findSocket, programOf, readLsof, readNetstat, readTasklist } from './port-holder.ts';

const servers: Server[] = [];
const children: ChildProcess[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function newServer(): Server {
  const server = createServer();
  servers.push(server);
  return server;
}

/** A program of another name that listens at `host`. */
async function otherProgram(host: string): Promise<{ port: number; pid: number }> {
  const directory = mkdtempSync(join(tmpdir(), 'loupe-listen-'));
  const script = join(directory, 'greeter.mjs');
  writeFileSync(
    script,
    `import { createServer } from 'node:net';\n` +
      `const server = createServer().listen(0, '${host}', () => console.log(server.address().port));\n`,
  );
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
  rmSync(directory, { recursive: true });
  return { port: Number(line), pid: child.pid! };
}

test('two that name no port take different ones', async () => {
  const ports = [await listenHere(newServer(), 0), await listenHere(newServer(), 0)];
  expect(new Set(ports).size).toBe(2);
});

test.runIf(process.platform === 'linux').each(['127.0.0.1', '0.0.0.0', '::'])(
  'a port that is taken at %s: by whom, and what to do',
  async (host) => {
    const { port, pid } = await otherProgram(host);
    await expect(listenHere(newServer(), port)).rejects.toMatchObject({
      code: 'port_unavailable',
      message: `Port ${port} is in use by node greeter.mjs (process ${pid}).`,
      nextStep: 'Choose another port with --port, or leave --port out: Loupe then picks a free one.',
    });
  },
);

test.runIf(process.platform === 'linux')('a port from which somebody is only connected is taken as well', async () => {
  const server = newServer();
  const target = await listenHere(server, 0);
  const accepted = once(server, 'connection');
  const client = connect(target, '127.0.0.1');
  await accepted;
  const { port } = client.address() as AddressInfo;
  await expect(listenHere(newServer(), port)).rejects.toMatchObject({
    message: expect.stringContaining(`(process ${process.pid})`) as string,
  });
  client.destroy();
});

test.each([
  ['EADDRINUSE', 0, 'Every port of this machine is in use.'],
  ['EACCES', 80, 'This system reserves port 80, like all ports below 1024.'],
  // Windows sets ranges aside for its virtual machines.
  ['EACCES', 50_100, 'This system reserves port 50100.'],
  ['EPERM', 0, 'This system does not let Loupe listen on any port.'],
  ['EADDRNOTAVAIL', 8123, 'This machine has no address 127.0.0.1: its loopback network is off.'],
  ['EMFILE', 8123, 'This system does not let Loupe open any more files.'],
  ['EINVAL', 8123, 'Loupe cannot listen on port 8123 of 127.0.0.1 (listen EINVAL).'],
])('%s at port %d', async (code, port, message) => {
  const failure = await listenFailure(Object.assign(new Error(`listen ${code}`), { code }), port);
  expect(failure).toMatchObject({ code: 'port_unavailable', message });
  expect(failure.nextStep).not.toContain('fault in Loupe');
});

test('who holds it, in words', () => {
  const of = (commandLine: string) => describeHolder({ program: programOf(commandLine), pid: 42, ofAnotherUser: false });
  expect(of('/usr/bin/python3\0server.py\0--port\0')).toBe('python3 server.py (process 42)');
  expect(of('nginx: master process /usr/sbin/nginx -g daemon off;\0')).toBe('nginx -g daemon off; (process 42)');
  expect(of('/opt/node\0/home/me/loupe/main/cli/loupe.ts\0serve\0')).toBe('another Loupe (process 42)');
  expect(of('/opt/Loupe/loupe\0serve\0')).toBe('another Loupe (process 42)');
  expect(of('vim\0loupes.txt\0')).toBe('vim loupes.txt (process 42)');
  expect(of('evil\x1b[31m\ncommand\0-p\0')).toBe('evil [31m command (process 42)');
  expect(of('')).toBe('another program (process 42)');
  expect(describeHolder({ program: null, pid: null, ofAnotherUser: true })).toBe('a program of another user');
  expect(describeHolder({ program: null, pid: null, ofAnotherUser: false })).toBe('another program');
});

test('the tables of Linux: our address alone, listeners first', () => {
  const row = (address: string, state: string, user: number, inode: number) =>
    `   0: ${address}:1FBB 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  ${user}        0 ${inode} 1 0000 100 0 0 10 0`;
  const table = (...rows: string[]) =>
    ['  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode', ...rows, ''].join('\n');
  expect(findSocket(table(row('0100007F', '01', 0, 11), row('0100007F', '0A', 1000, 12)), 8123, 'LE')).toMatchObject({
    inode: '12',
    user: 1000,
  });
  expect(findSocket(table(row('0501A8C0', '0A', 0, 11)), 8123, 'LE')).toBeNull();
  expect(findSocket(table(row('0000000000000000FFFF00000100007F', '0A', 0, 11)), 8123, 'LE')).toMatchObject({ inode: '11', user: 0 });
  // Closed, and waiting for stragglers: nobody has it.
  expect(findSocket(table(row('0100007F', '06', 0, 0)), 8123, 'LE')).toBeNull();
  expect(findSocket(table(row('7F000001', '0A', 7, 11)), 8123, 'BE')).toMatchObject({ inode: '11', user: 7 });
  expect(findSocket('', 8123)).toBeNull();
});

test('what macOS and Windows say', () => {
  expect(readLsof('p4242\ncnode\nf20\n')).toMatchObject({ pid: 4242, program: 'node' });
  expect(readLsof('')).toMatchObject({ pid: null, program: null });
  const netstat = [
    '',
    '  Proto  Lokale Adresse  Remoteadresse  Status  PID',
    '  TCP  127.0.0.1:8123  127.0.0.1:50001  HERGESTELLT  7',
    '  TCP  0.0.0.0:8123  0.0.0.0:0  ABHÖREN  4242',
    '',
  ].join('\r\n');
  expect(readNetstat(netstat, 8123)).toBe(4242);
  expect(readNetstat(netstat, 812)).toBeNull();
  expect(readTasklist('"node.exe","4242","Console","1","40,000 K"\r\n')).toBe('node');
  expect(readTasklist('"System","4","Services","0","100 K"\r\n')).toBe('System');
  expect(readTasklist('INFO: No tasks are running which match the specified criteria.\r\n')).toBeNull();
});
