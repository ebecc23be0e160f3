/** Tokens kept free for the answer. */
export function roomForAnswer(maxTokens: number, contextLength: number): number {
  return Math.min(maxTokens, Math.max(64, Math.floor(contextLength / 4)));
}
