/** Encryption of what is kept, and its lock. */
import type { VaultService } from '../services/vault.ts';
import { done, type AreaHandlers } from './area.ts';

export function vaultHandlers(vault: VaultService): AreaHandlers<'vault'> {
  return {
    'vault.state': () => vault.state(),
    'vault.recoveryCode': () => ({ code: vault.newRecoveryCode() }),
    'vault.turnOn': done((way) => vault.turnOn(way)),
    'vault.turnOff': ({ words }) => vault.turnOff(words),
    'vault.change': done(({ words, way }) => vault.change(words, way)),
    'vault.unlock': done(({ words }) => vault.unlock(words)),
    'vault.lock': done(() => vault.lock()),
  };
}
