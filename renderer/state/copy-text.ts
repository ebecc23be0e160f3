/** The text of a picture, read or put into the clipboard, with a notice that says how far it is and what came of it. */
import { textOf, type Picture } from '../../main/contract.ts';
import { toRequestFailure, type Client } from '../api/client.ts';
import type { Toasts } from './toasts.svelte.ts';
import { strings } from '../strings.ts';

type Following = ReturnType<Toasts['follow']>;

/** Does not reject. */
export async function copyText(client: Client, toasts: Toasts, picture: Picture): Promise<void> {
  await readText(client, toasts, picture, async (words, notice) => {
    if (words === '') notice.end({ message: strings.text.none, nextStep: strings.text.noneNext });
    else await put(words, toasts, notice);
  });
}

/**
 * Reads the text of a picture, with a notice that says how far it is; null where it was stopped or has failed, which is said.
 * `then`: what becomes of it and of the notice, which else goes. Does not reject.
 */
export async function readText(
  client: Client,
  toasts: Toasts,
  { hash }: Picture,
  then: (words: string, notice: Following) => Promise<void> | void = (_, notice) => notice.end(null),
): Promise<string | null> {
  const text = strings.text;
  const reading = {
    message: text.reading,
    action: { label: text.stop, run: () => toasts.attempt(client.request('pictures.stopText', { hash })) },
  };
  const notice = toasts.follow(reading);
  let all = '';
  const stopListening = client.on('text.line', ({ of, line }) => {
    if (of !== hash) return;
    all += line.before + line.text;
    notice.now({ ...reading, nextStep: text.readSoFar(countLines(all)) });
  });
  try {
    const words = textOf(await client.request('pictures.text', { hash }));
    await then(words, notice);
    return words;
  } catch (error) {
    const { code, message, nextStep } = toRequestFailure(error);
    notice.end(code === 'cancelled' ? null : { tone: 'danger', message, nextStep });
    return null;
  } finally {
    stopListening();
  }
}

async function put(words: string, toasts: Toasts, notice: Following): Promise<void> {
  const copied = { message: strings.text.copied(countLines(words)) };
  try {
    await navigator.clipboard.writeText(words);
    notice.end(copied);
  } catch {
    // Some browsers have forgotten the click by the time that the text is read.
    notice.end({
      message: strings.text.ready(countLines(words)),
      nextStep: strings.text.readyNext,
      action: {
        label: strings.common.copy,
        run: () => toasts.attempt(navigator.clipboard.writeText(words).then(() => toasts.show(copied))),
      },
    });
  }
}

/** Empty ones are not counted. */
export function countLines(words: string): number {
  return words.split('\n').filter((line) => line.trim() !== '').length;
}
