/** Running a program of ours where there is no network, and under a tracer of system calls. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JobsDone } from './all-jobs.ts';

const allJobs = fileURLToPath(new URL('./all-jobs.ts', import.meta.url));

/** `unshare -n` needs root, or a system that lets anybody have a user namespace (`-r`). Null where neither works. */
export function withoutNetwork(): string[] | null {
  const ways = [
    ['unshare', '-n'],
    ['unshare', '-r', '-n'],
  ];
  return ways.find(([command, ...args]) => works(command!, [...args, 'true'])) ?? null;
}

export const canTrace = (): boolean => works('strace', ['-qq', '-e', 'trace=none', 'true']);

function works(command: string, args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** @param through program and arguments that run ours. @returns what was done, and what the tracer wrote to `TRACE` */
export function runAllJobs(
  through: string[],
  { listen = false, environment = {} }: { listen?: boolean; environment?: NodeJS.ProcessEnv },
): {
  done: JobsDone;
  trace: string;
} {
  const folder = mkdtempSync(join(tmpdir(), 'loupe-jobs-'));
  try {
    const traceFile = join(folder, 'trace');
    const [command, ...args] = [
      ...through.map((word) => (word === 'TRACE' ? traceFile : word)),
      process.execPath,
      allJobs,
      join(folder, 'data'),
    ];
    if (listen) args.push('--listen');
    const { status, stdout, stderr } = spawnSync(command!, args, { encoding: 'utf8', env: { ...process.env, ...environment } });
    if (status !== 0) throw new Error(`The jobs ended with ${String(status)}: ${stderr}`);
    return { done: JSON.parse(stdout) as JobsDone, trace: through.includes('TRACE') ? readFileSync(traceFile, 'utf8') : '' };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const traced = ['strace', '-f', '-qq', '-e', 'trace=socket,connect,bind,sendto,sendmsg,sendmmsg,socketpair', '-o', 'TRACE'];

/** Calls that name or open something other than a socket of this machine's own: a path, a pair, or an address of its loopback. */
export function callsThatLeave(trace: string): string[] {
  return trace
    .split('\n')
    .map((line) => line.replace(/^\d+\s+/, ''))
    .filter((line) => /\b(AF|PF)_(?!UNIX\b|LOCAL\b)|^\w+\(.*sa_family=(?!AF_UNIX)/.test(line))
    .filter((line) => !/^socket\(AF_INET6?,/.test(line))
    .filter((line) => !/sin_addr=inet_addr\("127\.|inet_pton\(AF_INET6, "::1"/.test(line));
}

/** How many sockets were opened, by family. */
export function socketsOpened(trace: string): Record<string, number> {
  const families: Record<string, number> = {};
  for (const [, family] of trace.matchAll(/^\d+\s+socket\((\w+),.*= \d+$/gm)) families[family!] = (families[family!] ?? 0) + 1;
  return families;
}
