/** Server-sent events, as far as servers that answer use them: the data of each. Source: HTML Standard, 9.2.6. */

export interface StreamLimits {
  /** Of one event, in UTF-16 units. */
  eventLength: number;
  /** Of all that is read. */
  bytes: number;
}

/** The stream has more than it may. */
export class StreamTooLarge extends Error {
  override readonly name = 'StreamTooLarge';
}

/**
 * The data of each event, in order; of the last also where no empty line follows it. Throws `StreamTooLarge`, and what `body` throws. The
 * work grows with the bytes and no faster, however they are cut.
 */
export async function* eventsOf(body: AsyncIterable<Uint8Array>, limits: StreamLimits): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let bytes = 0;
  let line = '';
  let data: string[] = [];
  let length = 0;
  /** The last piece ended with CR: an LF that follows belongs to it. */
  let afterReturn = false;

  function* take(text: string): Generator<string> {
    const lines = (afterReturn && text.startsWith('\n') ? text.slice(1) : text).split(/\r\n|\n|\r/);
    if (text !== '') afterReturn = text.endsWith('\r');
    for (const [index, part] of lines.entries()) {
      line += part;
      length += part.length;
      if (length > limits.eventLength) throw new StreamTooLarge();
      if (index === lines.length - 1) return;
      if (line === '') {
        if (data.length > 0) yield data.join('\n');
        data = [];
        length = 0;
      } else if (line.startsWith('data:')) data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
      // Comments and other fields are no part of an event's data.
      else length -= line.length;
      line = '';
    }
  }

  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > limits.bytes) throw new StreamTooLarge();
    yield* take(decoder.decode(chunk, { stream: true }));
  }
  yield* take(`${decoder.decode()}\n\n`);
}
