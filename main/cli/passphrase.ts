/** What opens an encrypted data folder for a command: a file descriptor or a variable, else the person at the terminal. */
import { readFileSync } from 'node:fs';
import { LoupeError, toLoupeError } from '../errors.ts';

export const passphraseHelp = `An encrypted data folder: the passphrase (or the recovery code) is asked for at the terminal. Without one it is read from
the file descriptor LOUPE_PASSPHRASE_FD, as in \`LOUPE_PASSPHRASE_FD=3 loupe documents list 3< <(pass loupe)\`, or from LOUPE_PASSPHRASE,
which other programs of yours can see.
`;

export interface PassphraseSource {
  environment: NodeJS.ProcessEnv;
  /** Null where nobody types. */
  prompt: ((question: string) => Promise<string>) | null;
}

const tries = 3;

/** Nothing happens where the folder is not encrypted. Rejects with `vault_locked` and `passphrase_wrong`. */
export async function unlockForCommand(directory: string, { environment, prompt }: PassphraseSource): Promise<void> {
  // Commands that keep nothing open no database.
  const { readHeader } = await import('../storage/vault/header.ts');
  const { unlockFolder } = await import('../storage/vault/unlock.ts');
  if (!readHeader(directory)) return;
  const given = passed(environment);
  if (given !== null) return unlockFolder(directory, given);
  if (!prompt)
    throw new LoupeError(
      'vault_locked',
      `What Loupe keeps in ${directory} is encrypted, and nobody is there to enter the passphrase.`,
      'Run the command in a terminal, or pass the passphrase through LOUPE_PASSPHRASE_FD (see `loupe --help`).',
    );
  for (let left = tries; ; left--) {
    try {
      return await unlockFolder(directory, await prompt(`Passphrase or recovery code for ${directory}: `));
    } catch (error) {
      if (toLoupeError(error).code !== 'passphrase_wrong' || left === 1) throw error;
    }
  }
}

/** Null where none was. What was read is taken out of the environment: no process that is started gets it. */
function passed(environment: NodeJS.ProcessEnv): string | null {
  const { LOUPE_PASSPHRASE_FD: descriptor, LOUPE_PASSPHRASE: words } = environment;
  delete environment['LOUPE_PASSPHRASE_FD'];
  delete environment['LOUPE_PASSPHRASE'];
  if (descriptor === undefined) return words ?? null;
  try {
    if (!/^\d{1,4}$/.test(descriptor)) throw new Error('it is not a number');
    return readFileSync(Number(descriptor), 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new LoupeError(
      'usage',
      `LOUPE_PASSPHRASE_FD=${descriptor} cannot be read (${(error as Error).message}).`,
      'Name an open file descriptor, as in: LOUPE_PASSPHRASE_FD=3 loupe documents list 3< file',
    );
  }
}

/** Asks on a terminal; what is typed is not shown. Rejects with `cancelled` on Ctrl-C. */
export function hiddenPrompt(input: NodeJS.ReadStream, output: NodeJS.WritableStream): (question: string) => Promise<string> {
  return (question) =>
    new Promise((resolve, reject) => {
      output.write(question);
      let typed: string[] = [];
      const end = (): void => {
        input.off('data', hear);
        input.setRawMode(false);
        input.pause();
        output.write('\n');
      };
      const hear = (text: string): void => {
        for (const character of text) {
          if (character === '\r' || character === '\n') {
            end();
            return resolve(typed.join(''));
          }
          if (character === '\u0003' || character === '\u0004') {
            end();
            return reject(new LoupeError('cancelled', 'Nothing was entered.', 'Run the command again.'));
          }
          if (character === '\u007f' || character === '\b') typed.pop();
          else if (character === '\u0015') typed = [];
          else typed.push(character);
        }
      };
      input.setEncoding('utf8');
      input.setRawMode(true);
      input.on('data', hear);
      input.resume();
    });
}
