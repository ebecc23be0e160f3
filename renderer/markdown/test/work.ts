/**
 * What a piece of work costs, without a clock: how often each block of the parser's code ran.
 * Code counts that is compiled after this module: import it first.
 */
import { Session } from 'node:inspector/promises';

const session = new Session();
session.connect();
await session.post('Profiler.enable');
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });

export async function countWork(run: () => void): Promise<number> {
  // What was counted so far is forgotten.
  await session.post('Profiler.takePreciseCoverage');
  run();
  const { result } = await session.post('Profiler.takePreciseCoverage');
  const parser = result.filter(({ url }) => /\/renderer\/markdown\/[a-z]+\.ts|\/node_modules\/(?:markdown-it|linkify-it)\//.test(url));
  return parser.flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges)).reduce((sum, { count }) => sum + count, 0);
}
