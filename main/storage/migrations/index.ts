import { first } from './001-first.ts';
import { models } from './002-models.ts';
import { selfTests } from './003-self-tests.ts';
import { judgements } from './004-judgements.ts';
import { unspaced } from './005-unspaced.ts';
import { documents } from './006-documents.ts';
import { pictureTexts } from './007-picture-texts.ts';
import { asking } from './008-asking.ts';
import { differences } from './009-differences.ts';
import { extractions } from './010-extractions.ts';
import { notes } from './011-notes.ts';
import { pagePlaces } from './012-page-places.ts';
import { draftScopes } from './013-draft-scopes.ts';
import { searchWords } from './014-search-words.ts';
import { keptTexts } from './015-kept-texts.ts';
import { servers } from './016-servers.ts';
import { instructions } from './017-instructions.ts';
import { tags } from './018-tags.ts';
import type { Migration } from './migration.ts';

/** In order, without gaps. */
export const migrations: readonly Migration[] = [
  first,
  models,
  selfTests,
  judgements,
  unspaced,
  documents,
  pictureTexts,
  asking,
  differences,
  extractions,
  notes,
  pagePlaces,
  draftScopes,
  searchWords,
  keptTexts,
  servers,
  instructions,
  tags,
];
