/** What came of drawing an answer. */
export interface Drawn {
  /** Why it could not be drawn; empty when it could. */
  failure: string;
  /** Nothing of it can be seen. */
  blank: boolean;
  /** How deep its elements stand within each other, and how many there are. */
  depth: number;
  elements: number;
  /** Script, style and layout. */
  ms: number;
}
