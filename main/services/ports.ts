/** What services ask of the outside, by area. Implementations are chosen in the composition root. */
export type * from './ports/archive.ts';
export type * from './ports/common.ts';
export * from './ports/documents.ts';
export type * from './ports/engine.ts';
export type * from './ports/extractions.ts';
export type * from './ports/models.ts';
export type * from './ports/pictures.ts';
export type * from './ports/servers.ts';
export type * from './ports/store.ts';
