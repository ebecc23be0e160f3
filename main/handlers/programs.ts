/** Other programs on this computer. */
import { LoupeError } from '../errors.ts';
import type { Programs } from '../services/programs.ts';
import type { AreaHandlers } from './area.ts';

/** Null where the host answers no programs. */
export function programHandlers(programs: Programs | null): AreaHandlers<'programs'> {
  const here = (): Programs => {
    if (!programs) throw new LoupeError('usage', 'This Loupe answers no other programs.', 'Start `loupe api` for them.');
    return programs;
  };
  return {
    'programs.state': () => here().state(),
    'programs.newKey': async () => ({ key: await here().newKey() }),
  };
}
