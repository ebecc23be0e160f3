/** The text of a picture into the clipboard, with a notice that says how far it is and what came of it. */
import { textOf, type Picture } from '../../main/contract.ts';
import { toRequestFailure, type Client } from '../api/client.ts';
import type { Toasts } from './toasts.svelte.ts';
import { strings } from '../strings.ts';

/** Does not reject. */
export async function copyText(client: Client, toasts: Toasts, { hash }: Picture): Promise<void> {
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
    if (words === '') return notice.end({ message: text.none, nextStep: text.noneNext });
    await put(words, toasts, notice);
  } catch (error) {
    const { code, message, nextStep } = toRequestFailure(error);
    notice.end(code === 'cancelled' ? null : { tone: 'danger', message, nextStep });
  } finally {
    stopListening();
  }
}

async function put(words: string, toasts: Toasts, notice: ReturnType<Toasts['follow']>): Promise<void> {
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
