/**
 * A process that encrypts a data folder, or decrypts it, and dies without a word: before the step that it is told, or after so many
 * milliseconds. Arguments: folder, "on" or "off", passphrase, and "step N" or "after N".
 */
import { openStore } from '../store.ts';
import { unlockFolder } from '../vault/unlock.ts';
import { cheap, code } from './vault.ts';

const [directory, way, passphrase, how, count] = process.argv.slice(2) as [string, 'on' | 'off', string, 'step' | 'after', string];
const die = (): void => void process.kill(process.pid, 'SIGKILL');

if (way === 'off') await unlockFolder(directory, passphrase);
const store = openStore(directory, { tolerant: true, stretching: cheap });
store.vault.onChange(({ progress }) => {
  if (how === 'step' && progress?.done === Number(count)) die();
});
if (how === 'after') setTimeout(die, Number(count));
if (way === 'on') await store.vault.turnOn({ passphrase, recoveryCode: code });
else await store.vault.turnOff(passphrase);
store.close();
