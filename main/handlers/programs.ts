/** Other programs on this computer. */
import { LoupeError } from '../errors.ts';
import type { Consents } from '../services/consents.ts';
import type { Programs } from '../services/programs.ts';
import { done, type AreaHandlers } from './area.ts';

/** `programs`: null where the host answers none. */
export function programHandlers(programs: Programs | null, consents: Consents): AreaHandlers<'programs'> {
  const here = (): Programs => {
    if (!programs) throw new LoupeError('usage', 'This Loupe answers no other programs.', 'Start `loupe api` for them.');
    return programs;
  };
  return {
    'programs.state': () => here().state(),
    'programs.newKey': async () => ({ key: await here().newKey() }),
    'programs.questions': () => consents.questions(),
    'programs.answer': done(consents.answer),
    'programs.forget': done(({ program, tool }) => consents.forget(program, tool)),
  };
}
