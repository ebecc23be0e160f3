/** The body of a request: JSON from outside, which is bounded before it is kept, and again before it is parsed. */
import type { IncomingMessage } from 'node:http';
import { formatBytes } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import { isBounded } from '../json.ts';

/** Bytes. */
export interface LimitsOfBody {
  /** Of one request. */
  body: number;
  /** Of all requests that are arriving, waiting or being answered. */
  allBodies: number;
}

/** Above what any request needs: pictures are texts, and a message is four levels deep. */
const shape = { deepest: 32, mostValues: 200_000 };

export interface Bodies {
  /**
   * The parsed JSON, its bytes, and what gives its room back. Rejects with `request_too_large`, `queue_full` where other requests
   * take the room, `request_invalid`, and `cancelled` where the program leaves meanwhile.
   */
  read(request: IncomingMessage): Promise<{ body: unknown; bytes: number; release: () => void }>;
}

export function createBodies(limits: LimitsOfBody): Bodies {
  let held = 0;
  return {
    async read(request) {
      const announced = Number(request.headers['content-length'] ?? 0);
      if (announced > limits.body) throw tooLarge(limits.body);
      let own = 0;
      const release = (): void => {
        held -= own;
        own = 0;
      };
      try {
        const chunks: Buffer[] = [];
        // What is refused is read to its end by the server, and thrown away.
        for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
          own += chunk.length;
          held += chunk.length;
          if (own > limits.body) throw tooLarge(limits.body);
          if (held > limits.allBodies) throw new LoupeError('queue_full', 'Other requests take all the memory that there is for requests.');
          chunks.push(chunk);
        }
        return { body: parseJson(Buffer.concat(chunks)), bytes: own, release };
      } catch (error) {
        release();
        if (error instanceof LoupeError) throw error;
        throw new LoupeError('cancelled', 'The program left before it had sent its request.', undefined, { cause: error });
      }
    },
  };
}

function parseJson(bytes: Uint8Array): unknown {
  const invalid = (message: string): LoupeError => new LoupeError('request_invalid', message, 'Send one JSON object.');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid('The body is not text in UTF-8.');
  }
  if (!isBounded(text, shape)) {
    throw invalid(`The body is nested deeper than ${shape.deepest} levels or holds more than ${shape.mostValues} values.`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('The body is not JSON.');
  }
}

function tooLarge(most: number): LoupeError {
  return new LoupeError('request_too_large', `The request is larger than ${formatBytes(most)}.`);
}
