/** All jobs where there is no network: with an engine that stands in here, with the demo model in network.integration.test.ts. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { callsThatLeave, canTrace, runAllJobs, socketsOpened, traced, withoutNetwork } from './test/without-network.ts';

const alone = withoutNetwork();
const tracer = canTrace();
const environment = { FAKE_ENGINE: '1' };
const allDone = { pagesRead: 1, hits: 1, aboutDocument: 'complete', aboutPicture: 'ballot', expected: 'ballot', connections: 0 };

test.skipIf(!alone)(
  `every job is done where there is no network${alone ? '' : ' (skipped: `unshare -n` works neither as root nor as this user)'}`,
  () => {
    const [command, ...args] = alone!;
    // There is none: not even an address of this machine answers.
    const interfaces = spawnSync(command!, [...args, 'cat', '/proc/net/dev', '/proc/net/route'], { encoding: 'utf8' }).stdout;
    expect(interfaces.split('\n').filter((line) => /^\s*\w+:/.test(line) && !/^\s*lo:/.test(line))).toEqual([]);
    expect(runAllJobs(alone!, { environment }).done).toMatchObject(allDone);
  },
);

test.skipIf(!tracer)(`no job opens a socket to anywhere${tracer ? '' : ' (skipped: strace is not installed or may not trace)'}`, () => {
  const { done, trace } = runAllJobs(traced, { environment });
  expect(done).toMatchObject(allDone);
  expect(callsThatLeave(trace)).toEqual([]);
  // The app behind no host has no use for the network at all, but processes speak over pairs: those were seen.
  expect(socketsOpened(trace)).not.toHaveProperty('AF_INET');
  expect(trace).toContain('socketpair(AF_UNIX');
});

test.skipIf(!tracer)(`served to a browser, it listens on 127.0.0.1 and nowhere else${tracer ? '' : ' (skipped: as above)'}`, () => {
  const { done, trace } = runAllJobs(traced, { environment, listen: true });
  expect(done).toMatchObject(allDone);
  expect(callsThatLeave(trace)).toEqual([]);
  expect(trace.match(/^\d+ +bind\(.*AF_INET.*$/gm)).toEqual([expect.stringContaining('inet_addr("127.0.0.1")')]);
});

test('a call that leaves is seen', () => {
  const lines = [
    '12 socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 21',
    '12 connect(21, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("93.184.216.34")}, 16) = -1 EINPROGRESS',
    '12 connect(21, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16) = 0',
    '12 connect(21, {sa_family=AF_INET6, sin6_port=htons(80), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = 0',
    '12 connect(21, {sa_family=AF_INET6, sin6_port=htons(80), inet_pton(AF_INET6, "2606::1", &sin6_addr), sin6_scope_id=0}, 28) = 0',
    '13 bind(22, {sa_family=AF_INET, sin_port=htons(0), sin_addr=inet_addr("0.0.0.0")}, 16) = 0',
    '13 socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_ROUTE) = 23',
    '13 socket(AF_UNIX, SOCK_STREAM, 0) = 24',
  ];
  expect(callsThatLeave(lines.join('\n'))).toHaveLength(4);
  expect(socketsOpened(lines.join('\n'))).toEqual({ AF_INET: 1, AF_NETLINK: 1, AF_UNIX: 1 });
});
