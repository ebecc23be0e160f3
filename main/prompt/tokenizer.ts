/**
 * Text <-> tokens by the checkpoint's own tokenizer.json (byte-level BPE).
 *
 * Special tokens are never found in text: `encodeText` knows none, so that nothing that a
 * user, a document or a model writes can end a turn or stand for a picture. A prompt names
 * its special tokens through `specialToken`.
 */
import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers';
import { LoupeError } from '../errors.ts';
import { cutsWordsAsKnown } from './words.ts';

interface AddedToken {
  id: number;
  content: string;
  special: boolean;
}

export interface Tokenizer {
  /** Spelling -> token, longest spelling first. */
  readonly specialTokens: ReadonlyMap<string, number>;
  /** Whether it stands for text by itself: neither special nor added to the vocabulary. */
  isWord(token: number): boolean;
  /** Token of a special spelling, or null. */
  specialToken(spelling: string): number | null;
  /** Plain text; no special token comes out. */
  encodeText(text: string): number[];
  /** The UTF-8 bytes that a token stands for; none for special and unknown tokens. */
  tokenBytes(token: number): Uint8Array;
}

export function createTokenizer(json: Record<string, unknown>, config: Record<string, unknown> | null, origin: string): Tokenizer {
  const fail = (why: string): LoupeError => new LoupeError('tokenizer_invalid', `tokenizer.json in ${origin} cannot be used: ${why}.`);
  const model = json['model'] as { type?: unknown; vocab?: unknown } | undefined;
  if (model?.type !== 'BPE' || typeof model.vocab !== 'object' || model.vocab === null) throw fail('it holds no BPE vocabulary');
  if (!JSON.stringify(json['decoder'] ?? null).includes('"ByteLevel"')) throw fail('it is not byte-level');
  const added = addedTokens(json['added_tokens']);
  if (!added) throw fail('its added tokens are malformed');
  if (!cutsWordsAsKnown(json)) throw fail('it cuts words by a pattern that Loupe does not know');

  const specials = added.filter(({ special }) => special).sort((a, b) => b.content.length - a.content.length);
  const specialTokens = new Map(specials.map(({ content, id }) => [content, id]));
  let hub: HubTokenizer;
  try {
    // Without its special tokens and its post-processor the tokenizer sees nothing but text.
    const plain = { ...json, added_tokens: (json['added_tokens'] as AddedToken[]).filter(({ special }) => !special), post_processor: null };
    hub = new HubTokenizer(plain, { ...config, clean_up_tokenization_spaces: false });
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error));
  }

  const addedIds = new Set(added.map(({ id }) => id));
  const bytesOf = tokenBytesTable(model.vocab as Record<string, number>, added);
  const nothing = new Uint8Array(0);
  return {
    specialTokens,
    isWord: (token) => bytesOf.has(token) && !addedIds.has(token),
    specialToken: (spelling) => specialTokens.get(spelling) ?? null,
    encodeText: (text) => (text === '' ? [] : hub.encode(text.toWellFormed(), { add_special_tokens: false }).ids),
    tokenBytes: (token) => bytesOf.get(token) ?? nothing,
  };
}

function addedTokens(value: unknown): AddedToken[] | null {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return null;
  const wellFormed = (token: Partial<AddedToken> | null): boolean =>
    typeof token?.content === 'string' && token.content !== '' && Number.isInteger(token.id) && typeof token.special === 'boolean';
  return (value as (Partial<AddedToken> | null)[]).every(wellFormed) ? (value as AddedToken[]) : null;
}

function tokenBytesTable(vocabulary: Record<string, number>, added: AddedToken[]): Map<number, Uint8Array> {
  const special = new Set(added.filter((token) => token.special).map(({ id }) => id));
  const table = new Map<number, Uint8Array>();
  for (const [spelling, id] of Object.entries(vocabulary)) {
    const bytes = special.has(id) ? null : spelledBytes(spelling);
    if (bytes) table.set(id, bytes);
  }
  const utf8 = new TextEncoder();
  for (const { id, content, special } of added) if (!special) table.set(id, utf8.encode(content));
  return table;
}

/**
 * Byte-level vocabularies spell each byte as one visible character: printable Latin-1 as
 * itself, the other 68 bytes as U+0100 onward, in order.
 */
const byteOfCharacter = ((): Map<string, number> => {
  const map = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const visible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    map.set(String.fromCharCode(visible ? byte : next++), byte);
  }
  return map;
})();

function spelledBytes(spelling: string): Uint8Array | null {
  const bytes = new Uint8Array(spelling.length);
  for (let i = 0; i < spelling.length; i++) {
    const byte = byteOfCharacter.get(spelling[i]!);
    if (byte === undefined) return null;
    bytes[i] = byte;
  }
  return bytes;
}
