/** Other programs on this computer, which ask through the local API. */
import * as v from 'valibot';
import { count, failure, id, text } from './common.ts';

export const programsState = v.strictObject({
  /** `keyless`: the settings let them ask, and there is no key that they could send. */
  status: v.picklist(['off', 'keyless', 'starting', 'ready', 'failed']),
  /** Where they are answered; null unless `ready`. */
  port: v.nullable(count),
  /** Where the key is kept, if there is one: by the system's keychain, or until Loupe ends. */
  key: v.nullable(v.picklist(['keychain', 'session'])),
  /** Why a key that was kept cannot be read, or cannot be kept for longer; null where there is nothing to say. */
  keyProblem: v.nullable(v.string()),
  /** Requests since Loupe started. */
  answered: count,
  failure: v.nullable(failure),
});

/** What an assistant may ask Loupe to do; `main/program-tools.ts` describes each. */
export const programTool = v.picklist(['capture_and_ask', 'ask_about_file', 'search_history']);

export const mostProgramCharacters = 100;
/** As a program calls itself. */
const program = text(mostProgramCharacters);

/** What the person has said once and for all of a program and a tool. */
export const programConsent = v.strictObject({ program, tool: programTool, allowed: v.boolean() });

/** A tool that a program wants to use, and that waits for the person. */
export const programQuestion = v.strictObject({
  id,
  program,
  tool: programTool,
  /** What the program asks, or searches for. */
  words: v.string(),
  /** The file that it names, with all links followed; null: none. */
  path: v.nullable(v.string()),
  /** What it would be told of; null unless it searches. `titles`: the first few of `conversations`. */
  found: v.nullable(v.strictObject({ places: count, conversations: count, titles: v.array(v.string()) })),
});

export type ProgramsState = v.InferOutput<typeof programsState>;
export type ProgramTool = v.InferOutput<typeof programTool>;
export type ProgramConsent = v.InferOutput<typeof programConsent>;
export type ProgramQuestion = v.InferOutput<typeof programQuestion>;
