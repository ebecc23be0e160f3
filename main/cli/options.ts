/** Flags -> typed values, and complaints that name the flag. */
import { existsSync } from 'node:fs';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { LoupeError } from '../errors.ts';
import type { EngineSettings } from '../services/ports.ts';

type Flags = NonNullable<ParseArgsConfig['options']>;

/** Flags of every command that starts the engine. */
export const engineFlags = {
  device: { type: 'string' },
  activations: { type: 'string' },
  validation: { type: 'boolean' },
  'memory-budget': { type: 'string' },
} as const satisfies Flags;

export function parseFlags<const Options extends Flags>(
  args: string[],
  options: Options,
): ReturnType<typeof parseArgs<{ args: string[]; options: Options; allowPositionals: true; strict: true }>> {
  try {
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    const dashed = args.find((arg) => arg.startsWith('-') && existsSync(arg));
    throw new LoupeError(
      'usage',
      firstSentence(error),
      dashed === undefined ? undefined : `If you mean what is called ${dashed} here, write ./${dashed}.`,
    );
  }
}

export function engineSettings(values: {
  device?: string | undefined;
  activations?: string | undefined;
  validation?: boolean | undefined;
  'memory-budget'?: string | undefined;
}): EngineSettings {
  const { device, activations, validation } = values;
  const budgetMB = wholeNumber('--memory-budget', values['memory-budget'], 1);
  return {
    device,
    activations: activations === undefined ? undefined : oneOf('--activations', activations, ['auto', 'f32', 'f16']),
    validation,
    memoryBudgetBytes: budgetMB === undefined ? undefined : budgetMB * 1e6,
  };
}

export function wholeNumber(flag: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
    throw new LoupeError('usage', `${flag} takes a whole number from ${least} on, not "${text}".`);
  }
  return value;
}

export function portNumber(text: string | undefined, nextStep: string): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    throw new LoupeError('usage', `--port takes a whole number from 0 to 65535, not "${text}".`, nextStep);
  }
  return port;
}

export function decimal(flag: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most)) {
    const range = most === Infinity ? `from ${least} on` : `from ${least} to ${most}`;
    throw new LoupeError('usage', `${flag} takes a number ${range}, not "${text}".`);
  }
  return value;
}

export function tokenList(flag: string, text: string | undefined): Int32Array {
  const parts = text?.split(',').map((part) => part.trim()) ?? [];
  if (parts.length === 0 || !parts.every((part) => /^\d{1,9}$/.test(part))) {
    throw new LoupeError('usage', `${flag} takes token numbers with commas between them, as in 1,2,3.`);
  }
  return Int32Array.from(parts, Number);
}

export function oneOf<const Choice extends string>(flag: string, text: string, choices: readonly Choice[]): Choice {
  const chosen = choices.find((choice) => choice === text);
  if (chosen === undefined) throw new LoupeError('usage', `${flag} takes ${choices.join(', ')}, not "${text}".`);
  return chosen;
}

/** One `--model` may name two files with a comma between them; of several each names one. */
export function namedModel(models: string[] | undefined): string | string[] | undefined {
  if (models?.includes('')) throw new LoupeError('usage', '--model is empty.', 'Name a folder or a file.');
  return models?.length === 1 ? models[0] : models;
}

export function needed(flag: string, text: string | undefined): string {
  if (text === undefined || text === '') throw new LoupeError('usage', `${flag} is missing.`);
  return text;
}

/** parseArgs explains at length; the first sentence names the flag. */
function firstSentence(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return `${text.split(/\.?\s*\n|\. /)[0]!}.`;
}
