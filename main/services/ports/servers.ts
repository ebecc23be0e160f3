/** Servers that answer. */

export interface ServerRecord {
  id: number;
  name: string;
  /** All requests begin with it; ends without "/". */
  address: string;
  /** As the server calls it. */
  model: string;
  sees: boolean;
  /** A person agreed that it gets pages of documents. */
  documents: boolean;
  /** Tokens; null where the server does not say. */
  contextLength: number | null;
}

/** Throws `not_found`. */
export interface ServerStore {
  /** In the order in which they were added. */
  list(): ServerRecord[];
  get(id: number): ServerRecord;
  add(server: Omit<ServerRecord, 'id' | 'documents'>): ServerRecord;
  /** All but the address. */
  save(server: ServerRecord): void;
  remove(id: number): void;
}
