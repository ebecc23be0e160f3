/** Words of an answer, shown where they are in the picture that it is about. */
import type { FoundWords, Picture } from '../../main/contract.ts';
import { toRequestFailure, type Client } from '../api/client.ts';
import { strings } from '../strings.ts';
import { readText } from './copy-text.ts';
import type { Toasts } from './toasts.svelte.ts';
import type { Ui } from './ui.svelte.ts';

/** Of an answer, from the first word that is in the picture; its text is read where it is not known. Does not reject. */
export async function findWords(
  { client, toasts, ui }: { client: Client; toasts: Toasts; ui: Ui },
  picture: Picture,
  answer: string,
): Promise<void> {
  const find = (): Promise<FoundWords[] | null> => client.request('pictures.find', { hash: picture.hash, answer });
  try {
    let found = await find();
    if (found === null) {
      if ((await readText(client, toasts, picture)) === null) return;
      found = await find();
    }
    if (found && found.length > 0) ui.showWords({ picture, found, at: 0 });
    else toasts.show({ message: strings.text.noWords });
  } catch (error) {
    toasts.failure(toRequestFailure(error));
  }
}
