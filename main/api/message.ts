/** A message of a program's conversation. */
import type { ChatMessage } from '../services/ports.ts';

/** Pictures are bytes that were sent: a path would open what the program may not read. */
export type ProgramPart = { type: 'text'; text: string } | { type: 'image'; image: { bytes: Uint8Array; name: string } };

export interface ProgramMessage {
  role: ChatMessage['role'];
  content: ProgramPart[];
}
