/** Secrets of a host without a keychain: in memory until it ends, or from the environment. */
import type { SecretStore } from '../ports.ts';

export function sessionSecrets(environment: NodeJS.ProcessEnv = process.env): SecretStore {
  let token: string | null = environment['HF_TOKEN'] || null;
  return {
    kept: 'session',
    get: async () => token,
    set: async (_name, value) => {
      token = value;
    },
  };
}
