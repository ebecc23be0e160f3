/** The access token for the Hub: kept by Loupe, or where people have it already. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { textOf } from '../../../regular-file.ts';
import type { SecretName, SecretStore } from '../../ports.ts';

/** In memory, of a host without a keychain. `problem` is why there is none, where the user should know. */
export function sessionSecrets(problem: string | null = null): SecretStore {
  const kept = new Map<SecretName, string>();
  return {
    kept: 'session',
    problem: () => problem,
    get: async (name) => kept.get(name) ?? null,
    set: async (name, value) => {
      if (value === null) kept.delete(name);
      else kept.set(name, value);
    },
  };
}

export interface HubToken {
  value: string;
  /** `own`: given to Loupe. `environment`: HF_TOKEN. `tools`: the file in which the Hub's own tools keep it. */
  source: 'own' | 'environment' | 'tools';
}

const mostBytes = 4096;

/** The first that there is. */
export async function hubToken(secrets: SecretStore, environment: NodeJS.ProcessEnv): Promise<HubToken | null> {
  const own = await secrets.get('hub-token');
  if (own !== null) return { value: own, source: 'own' };
  const named = environment['HF_TOKEN']?.trim();
  if (named) return { value: named, source: 'environment' };
  const found = await ofTools(environment);
  return found === null ? null : { value: found, source: 'tools' };
}

/** HF_TOKEN_PATH, else below HF_HOME, else below the user's cache. */
async function ofTools(environment: NodeJS.ProcessEnv): Promise<string | null> {
  const home = environment['HF_HOME'] || join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'huggingface');
  const path = environment['HF_TOKEN_PATH'] || join(home, 'token');
  const text = ((await textOf(path, { mostBytes })) ?? '').trim();
  // A header takes printable ASCII only.
  return /^[\x21-\x7e]+$/.test(text) ? text : null;
}
