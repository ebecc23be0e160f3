/** The tools that assistants call: as `loupe mcp` lists them, and with the parser of what they are called with. */
import * as v from 'valibot';
import { limits, type ProgramTool } from './contract.ts';

/** Characters: more than a question needs, and little enough to be read in a window before it is allowed. */
export const mostQuestionCharacters = 4_000;
const mostPathCharacters = 4_096;
export const mostPlaces = 50;
export const usualPlaces = 10;

/** Trimmed, and not empty. */
const words = (most: number) => v.pipe(v.string(), v.trim(), v.minLength(1, 'is empty'), v.maxLength(most));
const question = words(mostQuestionCharacters);

/** Strict: what a tool does not know it must not be made to look as if it had been heard. */
export const toolArguments = {
  capture_and_ask: v.strictObject({ question }),
  ask_about_file: v.strictObject({
    path: v.pipe(v.string(), v.minLength(1, 'is empty'), v.maxLength(mostPathCharacters)),
    question,
    page: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  }),
  search_history: v.strictObject({
    query: words(limits.search),
    limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(mostPlaces)), usualPlaces),
  }),
} as const satisfies Record<ProgramTool, v.GenericSchema>;

export type ToolArguments<Tool extends ProgramTool> = v.InferOutput<(typeof toolArguments)[Tool]>;

/** What a tool answers: texts, the answer first, then what there is to say of it. */
export interface ToolAnswer {
  texts: string[];
}

interface ToolDescription {
  title: string;
  /** For a model that chooses among tools. */
  description: string;
  /** JSON Schema of its arguments. */
  inputSchema: { type: 'object'; properties: Record<string, object>; required: string[]; additionalProperties: false };
}

const questionSchema = { type: 'string', minLength: 1, maxLength: mostQuestionCharacters };

export const programTools: Record<ProgramTool, ToolDescription> = {
  capture_and_ask: {
    title: 'Ask about the screen',
    description:
      'Asks the user to select a part of their screen, and answers a question about it with a vision model on this computer. ' +
      'The user selects what is looked at each time, and may decline. You get the answer as text, not the picture.',
    inputSchema: {
      type: 'object',
      properties: { question: { ...questionSchema, description: 'What you want to know about what is on the screen.' } },
      required: ['question'],
      additionalProperties: false,
    },
  },
  ask_about_file: {
    title: 'Ask about a picture',
    description:
      'Answers a question about a picture file (PNG, JPEG, WebP, GIF, TIFF, AVIF, BMP) on this computer, with a vision model on this computer. ' +
      'You get the answer as text, not the picture. The user confirms the first use.',
    inputSchema: {
      type: 'object',
      properties: {
        path: { type: 'string', minLength: 1, maxLength: mostPathCharacters, description: 'The absolute path of the picture.' },
        question: { ...questionSchema, description: 'What you want to know about the picture.' },
        page: { type: 'integer', minimum: 1, description: 'Which page or frame, in a file that holds several. The first counts as 1.' },
      },
      required: ['path', 'question'],
      additionalProperties: false,
    },
  },
  search_history: {
    title: 'Search the conversations',
    description:
      'Finds words in the conversations that the user has had with Loupe, and in the text of their pictures. ' +
      'Private conversations are never searched. The user confirms the first use.',
    inputSchema: {
      type: 'object',
      properties: {
        query: { type: 'string', minLength: 1, maxLength: limits.search, description: 'Words in any order; all of them are found.' },
        limit: { type: 'integer', minimum: 1, maximum: mostPlaces, default: usualPlaces, description: 'How many places at most.' },
      },
      required: ['query'],
      additionalProperties: false,
    },
  },
};
