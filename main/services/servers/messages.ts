/** What the engine would be asked, as servers of OpenAI's dialect are asked it. */
import { readFile } from 'node:fs/promises';
import { LoupeError } from '../../errors.ts';
import { fileType } from '../../file-type.ts';
import type { Body, ChatMessage, ImageSource } from '../ports.ts';

/** Of all pictures of one request: 64 MB as they are, a third more as they are sent. */
export const mostPictureBytes = 64_000_000;
/** How many a request brings; the last ones of a conversation. */
export const mostPicturesSent = 16;

const mediaTypes = { png: 'image/png', jpeg: 'image/jpeg', gif: 'image/gif', webp: 'image/webp' } as const;

const goOn =
  'Your answer was cut off where it ends above. Go on from its last word, without repeating what is there and without any introduction.';

/** Rejects with `request_too_large`, and `image_unreadable` for a picture in a form that no server takes. */
export async function requestBody(
  model: string,
  { messages, answerSoFar = '', maxTokens, sampling }: Body<'generate'>,
): Promise<{ body: Uint8Array; pictures: number }> {
  const all = messages.flatMap(({ content }) => content.filter(({ type }) => type === 'image'));
  const sent = new Set(all.slice(-mostPicturesSent));
  let bytes = 0;
  const partOf = async (part: ChatMessage['content'][number]): Promise<object[]> => {
    if (part.type === 'text') return [part];
    if (!sent.has(part)) return [];
    const file = await fileOf(part.image as ImageSource);
    bytes += file.length;
    if (bytes > mostPictureBytes)
      throw new LoupeError('request_too_large', 'The pictures of this conversation are too large for one request.');
    const type = fileType(file);
    const mediaType = type && type in mediaTypes ? mediaTypes[type as keyof typeof mediaTypes] : null;
    if (!mediaType) throw new LoupeError('image_unreadable', 'A picture of this conversation is in a form that servers do not take.');
    return [{ type: 'image_url', image_url: { url: `data:${mediaType};base64,${Buffer.from(file).toString('base64')}` } }];
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

async function fileOf(image: ImageSource): Promise<Uint8Array> {
  if ('bytes' in image) return image.bytes;
  try {
    return await readFile(image.path);
  } catch {
    throw new LoupeError('image_missing', 'The file of a picture of this conversation is gone.', 'Attach the picture again.');
  }
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
