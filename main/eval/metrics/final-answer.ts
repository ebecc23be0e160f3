/**
 * What a reply that reasons gives as its answer: what stands behind the last "Answer:" or "the answer is", to the end of that line, without
 * emphasis, quotation marks and the full stop. The whole reply where nothing is marked.
 */
export function finalAnswer(reply: string): string {
  const marked = [...reply.matchAll(/\banswer(?:\s+is|\s*\**\s*:)\s*:?/gi)].at(-1);
  if (!marked) return bare(reply);
  const behind = reply.slice(marked.index + marked[0].length).replace(/^[\s*]+/, '');
  return bare(behind.split('\n', 1)[0]!);
}

function bare(text: string): string {
  const inner = text
    .trim()
    .replace(/^[*`"“]+|[*`"”]+$/g, '')
    .replace(/(?<=[^.])\.$/, '')
    .replace(/[*`"”]+$/, '');
  return inner.replace(/^\$\\boxed\{(.*)\}\$$/, '$1').trim();
}
