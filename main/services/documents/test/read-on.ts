/** A process that reads what waits of a document, and says the number of each page once it is stored. */
import { writeSync } from 'node:fs';
import { createDocumentReader } from '../../../documents/document-client.ts';
import { openStore } from '../../../storage/store.ts';
import { createLibrary } from '../library.ts';

const [directory, id] = process.argv.slice(2);
const reader = createDocumentReader();
const library = createLibrary({ store: openStore(directory!), reader });
await library.read(Number(id), { onPage: ({ number }) => writeSync(1, `${number}\n`) });
await reader.close();
