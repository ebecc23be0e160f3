import type { Settings } from '../../main/contract.ts';

interface Begun {
  /** The conversation that is shown, or is on its way. */
  selectedId: number | null;
  /** How many conversations there are, as far as is known. */
  conversations: number;
}

/** Whether the person has asked something already: in this window, or in the quick-ask window before this one was ever opened. */
export function hasBegun({ selectedId, conversations }: Begun): boolean {
  return selectedId !== null || conversations > 0;
}

/** Whether it is too early to tell who this is: who only ever used the hotkey has conversations, which are not listed yet. */
export function isUnknown({ welcomed }: Pick<Settings, 'welcomed'>, listed: boolean): boolean {
  return !welcomed && !listed;
}

/** The first page never hides a conversation, and asks nothing of a database that cannot keep the answer. */
export function isWelcome({ welcomed }: Pick<Settings, 'welcomed'>, writable: boolean, begun: Begun): boolean {
  return !welcomed && writable && !hasBegun(begun);
}
