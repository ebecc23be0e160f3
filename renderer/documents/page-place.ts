/** A page of a document to look at. */
export interface PagePlace {
  documentId: number;
  /** From 1 on. */
  page: number;
  /** Words, or a quote, to be marked. */
  find: string | null;
  /** Chosen from the list of what was read of its document: leaving the page leads back to that. */
  fromRead?: true;
  /** Of an answer: the places of all of its citations, and which of them this is. */
  cited?: { places: readonly Omit<PagePlace, 'cited'>[]; at: number };
}
