/**
 * A word -> pieces of a vocabulary, the longest first: WordPiece as BERT has it (Devlin et al., "BERT: Pre-training of Deep
 * Bidirectional Transformers for Language Understanding", 2019), in lower case and without accents.
 */

/** No word that anybody writes. */
const longestWord = 100;

/** What follows on a piece begins with `##` in the vocabulary. The indices of its pieces; none of a word that it cannot write. */
export function createWordPieces(vocabulary: readonly string[]): (word: string) => number[] {
  const indices = new Map(vocabulary.map((piece, index) => [piece, index]));

  return (word) => {
    const plain = word
      .toLowerCase()
      .normalize('NFD')
      .replace(/\p{Mn}/gu, '');
    if (plain.length > longestWord) return [];
    const pieces: number[] = [];
    for (let start = 0; start < plain.length;) {
      let end = plain.length;
      let piece: number | undefined;
      while (end > start && (piece = indices.get((start > 0 ? '##' : '') + plain.slice(start, end))) === undefined) end--;
      if (piece === undefined) return [];
      pieces.push(piece);
      start = end;
    }
    return pieces;
  };
}
