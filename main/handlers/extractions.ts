/** Tables of what was taken from documents. */
import type { Extractions } from '../services/extraction/extractions.ts';
import { done, type AreaHandlers } from './area.ts';

export function extractionHandlers(extractions: Extractions): AreaHandlers<'extractions'> {
  return {
    'extractions.list': () => extractions.list(),
    'extractions.open': ({ id }) => extractions.open(id),
    'extractions.create': (extraction) => extractions.create(extraction),
    'extractions.resume': done(({ id }) => extractions.resume(id)),
    'extractions.stop': done(({ id }) => extractions.stop(id)),
    'extractions.rename': done(({ id, name }) => extractions.rename(id, name)),
    'extractions.remove': done(({ id }) => extractions.remove(id)),
    'extractions.enter': ({ id, row, field, value }) => extractions.enter(id, { row, field }, value),
    'extractions.export': ({ id, format }) => extractions.export(id, format),
  };
}
