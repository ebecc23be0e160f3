/** Whether a question has room in the model, asked before it is sent: a conversation keeps no question that cannot be answered. */
import { limits, type Input, type Output } from '../../main/contract.ts';
import type { Client } from '../api/client.ts';
import { RequestFailure } from '../api/transport.ts';
import { strings } from '../strings.ts';

/** Of what a model reads, a character is at most four tokens: one for each byte of its UTF-8. */
const tokensOfCharacter = 4;

type Usage = NonNullable<Output<'chat.measure'>>;

/** Tokens: smaller than what models hold in practice. */
const smallContext = 2_048;

/** Whether so many characters could be more than the model holds. */
export function needsCounting(characters: number, contextLength = smallContext): boolean {
  return characters * tokensOfCharacter > contextLength / 2;
}

/** A field took all that it holds; so many characters are not in it. */
export function tooLong(left: number): RequestFailure {
  return new RequestFailure({ code: 'usage', message: strings.chat.tooLong(limits.message, left), nextStep: strings.chat.tooLongStep });
}

export function tooLongFor({ promptTokens, contextLength }: Usage): RequestFailure {
  const { noRoom, noRoomStep } = strings.chat;
  return new RequestFailure({ code: 'usage', message: noRoom(promptTokens, contextLength), nextStep: noRoomStep });
}

/** Throws `RequestFailure` where the question cannot fit. Where that cannot be counted, as without a model, the app decides. */
export async function refuseTooLong(client: Client, question: Input<'chat.measure'>): Promise<void> {
  const usage = await client.request('chat.measure', question).catch(() => null);
  if (usage && !usage.fits) throw tooLongFor(usage);
}
