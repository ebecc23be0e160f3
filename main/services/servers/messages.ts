/** What the engine would be asked, as servers of OpenAI's dialect are asked it. */
import { LoupeError } from '../../errors.ts';
import { fileType } from '../../file-type.ts';
import type { Body, ChatMessage, ImageSource, PictureWorker } from '../ports.ts';

/** Of all pictures of one request: 64 MB as they are written for it, a third more as they are sent. */
export const mostPictureBytes = 64_000_000;
/** How many a request brings; the last ones of a conversation. */
export const mostPicturesSent = 16;

const goOn =
  'Your answer was cut off where it ends above. Go on from its last word, without repeating what is there and without any introduction.';

/** Pictures go as they are seen, without what lies in their files besides. Rejects with `request_too_large`, and as the pictures do. */
export async function requestBody(
  model: string,
  { messages, answerSoFar = '', maxTokens, sampling }: Body<'generate'>,
  bare: PictureWorker['bare'],
): Promise<{ body: Uint8Array; pictures: number }> {
  const all = messages.flatMap(({ content }) => content.filter(({ type }) => type === 'image'));
  const sent = new Set(all.slice(-mostPicturesSent));
  let bytes = 0;
  const partOf = async (part: ChatMessage['content'][number]): Promise<object[]> => {
    if (part.type === 'text') return [part];
    if (!sent.has(part)) return [];
    const file = await bare(part.image as ImageSource);
    bytes += file.length;
    if (bytes > mostPictureBytes)
      throw new LoupeError('request_too_large', 'The pictures of this conversation are too large for one request.');
    return [{ type: 'image_url', image_url: { url: `data:image/${fileType(file)};base64,${Buffer.from(file).toString('base64')}` } }];
  };
  const written: object[] = [];
  for (const { role, content } of messages) {
    const parts: object[] = [];
    for (const part of content) parts.push(...(await partOf(part)));
    const [only] = content;
    // Older servers take no list of one text.
    written.push({ role, content: content.length === 1 && only?.type === 'text' ? only.text : parts });
  }
  if (answerSoFar !== '') written.push({ role: 'assistant', content: answerSoFar }, { role: 'user', content: goOn });
  const request = {
    model,
    messages: written,
    max_tokens: maxTokens,
    ...(sampling?.temperature !== undefined && { temperature: sampling.temperature }),
    ...(sampling?.topP !== undefined && { top_p: sampling.topP }),
    stream: true,
    stream_options: { include_usage: true },
  };
  return { body: new TextEncoder().encode(JSON.stringify(request)), pictures: sent.size };
}

/** About so many tokens: a server does not tell before it is asked. Three bytes a token is on the careful side for all scripts. */
export function estimateTokens(messages: readonly ChatMessage[], answerSoFar = ''): number {
  const parts = messages.flatMap(({ content }) => content);
  return [...parts, { type: 'text' as const, text: answerSoFar }].reduce(
    (sum, part) => sum + (part.type === 'text' ? Math.ceil(Buffer.byteLength(part.text) / 3) : tokensOfPicture),
    messages.length * tokensOfMessage,
  );
}

const tokensOfMessage = 8;
/** Of a picture of a megapixel, to most models that see. */
const tokensOfPicture = 1_500;
