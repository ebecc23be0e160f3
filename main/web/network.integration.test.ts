/** All jobs with the demo model, where there is no network and while every call that makes or names a socket is traced. */
import { expect, test } from 'vitest';
import { callsThatLeave, canTrace, runAllJobs, socketsOpened, traced, withoutNetwork } from './test/without-network.ts';

const alone = withoutNetwork();
const tracer = canTrace();
const missing = !alone ? '`unshare -n` works neither as root nor as this user' : tracer ? null : 'strace is not installed or may not trace';

test.skipIf(missing)(
  `the demo model answers where there is no network, and asks for none${missing ? ` (skipped: ${missing})` : ''}`,
  { timeout: 600_000 },
  () => {
    const { done, trace } = runAllJobs([...alone!, ...traced], {});
    expect(done).toMatchObject({ pagesRead: 1, hits: 1, aboutPicture: done.expected, connections: 0 });
    expect(done.exported).toBeGreaterThan(done.expected.length);
    expect(callsThatLeave(trace)).toEqual([]);
    const sockets = socketsOpened(trace);
    expect(Object.keys(sockets)).toEqual(Object.keys(sockets).filter((family) => family === 'AF_UNIX'));
    console.log(
      `Sockets by family: ${JSON.stringify(sockets)}; pairs: ${trace.match(/socketpair\(AF_UNIX/g)?.length ?? 0}; to anywhere else: 0`,
    );
  },
);
