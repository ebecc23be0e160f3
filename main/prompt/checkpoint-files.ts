/** The text files beside the weights that say how to speak to a model. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LoupeError } from '../errors.ts';
import { parseJsonObject } from '../json.ts';
import { readRegularFile } from '../regular-file.ts';

/** Parsed JSON, except `chatTemplate` (Jinja). Null where the checkpoint has no such file or entry. */
export interface CheckpointFiles {
  /** The folder, for messages. */
  directory: string;
  config: Record<string, unknown>;
  generationConfig: Record<string, unknown> | null;
  tokenizer: Record<string, unknown>;
  tokenizerConfig: Record<string, unknown> | null;
  chatTemplate: string | null;
}

/** Llama 3's has 9 MB with its merges as texts, and 17 MB as pairs; the others a few kilobytes. */
const mostBytes = { tokenizer: 64 * 1024 * 1024, other: 4 * 1024 * 1024 };

export async function readCheckpointFiles(directory: string): Promise<CheckpointFiles> {
  const folder = await stat(directory).catch(() => null);
  if (!folder?.isDirectory()) throw new LoupeError('model_missing', `There is no model folder ${directory}.`);
  const [config, generationConfig, tokenizer, tokenizerConfig, templateText, templateJson] = await Promise.all([
    readJson(directory, 'config.json', 'checkpoint_config'),
    readJson(directory, 'generation_config.json', 'checkpoint_config'),
    readJson(directory, 'tokenizer.json', 'tokenizer_invalid'),
    readJson(directory, 'tokenizer_config.json', 'tokenizer_invalid'),
    readText(directory, 'chat_template.jinja'),
    readJson(directory, 'chat_template.json', 'template_failed'),
  ]);
  if (!config) throw new LoupeError('model_missing', `${directory} holds no config.json.`);
  if (!tokenizer) throw new LoupeError('tokenizer_missing', `${directory} holds no tokenizer.json, so text cannot become tokens.`);
  return {
    directory,
    config,
    generationConfig,
    tokenizer,
    tokenizerConfig,
    chatTemplate: templateText ?? templateIn(templateJson) ?? templateIn(tokenizerConfig),
  };
}

/** `chat_template` is a template, or a list of named ones. */
function templateIn(json: Record<string, unknown> | null): string | null {
  const found = json?.['chat_template'];
  if (typeof found === 'string') return found;
  if (!Array.isArray(found)) return null;
  const named = found as { name?: unknown; template?: unknown }[];
  const chosen = named.find(({ name }) => name === 'default') ?? named[0];
  return typeof chosen?.template === 'string' ? chosen.template : null;
}

async function readText(directory: string, name: string): Promise<string | null> {
  const path = join(directory, name);
  if (!(await stat(path).catch(() => null))) return null;
  const most = name === 'tokenizer.json' ? mostBytes.tokenizer : mostBytes.other;
  return (await readRegularFile(path, { within: directory, mostBytes: most })).toString('utf8');
}

async function readJson(
  directory: string,
  name: string,
  code: 'checkpoint_config' | 'tokenizer_invalid' | 'template_failed',
): Promise<Record<string, unknown> | null> {
  const text = await readText(directory, name);
  if (text === null) return null;
  const value = parseJsonObject(text);
  if (!value) throw new LoupeError(code, `${join(directory, name)} is not a JSON object, or nested deeper or longer than any model’s.`);
  return value;
}
