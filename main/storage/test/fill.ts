/** Many conversations, quickly: written past the store in one transaction, as it would have written them. */
import Database from 'better-sqlite3';
import { randomNumbers } from '../../test/random.ts';
import { databasePath } from '../backups.ts';
import { removeSeal } from '../seal.ts';
import { openStore } from '../store.ts';

/** Every conversation has `messages` messages, question and answer in turn; every tenth question shows a picture. */
export function fillStore(directory: string, conversations: number, messages: number, seed: number): void {
  openStore(directory).close();
  const database = new Database(databasePath(directory));
  database.pragma('synchronous = off');
  const words = randomWords(seed);
  const addPicture = database.prepare(
    "insert into pictures values (?, 'a.png', 800, 600, 1000, 'image/png', 0, '{\"kind\":\"paste\"}', ?)",
  );
  const addConversation = database.prepare(
    'insert into conversations (title, created_at, updated_at, message_count, picture, leaf_id) values (?, ?, ?, ?, ?, ?)',
  );
  const addMessage = database.prepare(
    'insert into messages (conversation_id, parent_id, role, text, state, finish, model, statistics, created_at) ' +
      "values (?, ?, ?, ?, 'complete', ?, ?, ?, ?)",
  );
  const addMessagePicture = database.prepare('insert into message_pictures values (?, 0, ?)');
  database.transaction(() => {
    for (let index = 0; index < conversations; index++) {
      const at = index * 1000;
      const hash = index.toString(16).padStart(64, '0');
      addPicture.run(hash, at);
      const first = index * messages + 1;
      const { lastInsertRowid: id } = addConversation.run(words(5), at, at + messages, messages, hash, first + messages - 1);
      for (let message = first; message < first + messages; message++) {
        const asks = (message - first) % 2 === 0;
        addMessage.run(
          id,
          message === first ? null : message - 1,
          asks ? 'user' : 'assistant',
          `the ${words(asks ? 10 : 50)}`,
          asks ? null : 'stop',
          asks ? null : 'demo',
          asks ? null : statistics,
          at,
        );
        if ((message - first) % 20 === 0) addMessagePicture.run(message, hash);
      }
    }
  })();
  database.close();
  removeSeal(directory);
}

const statistics = JSON.stringify({
  promptTokens: 100,
  reusedTokens: 0,
  generatedTokens: 60,
  imagesEncoded: 1,
  imagesCached: 0,
  prepareMs: 10.5,
  encodeMs: 100.5,
  prefillMs: 200.5,
  firstTokenMs: 320.5,
  decodeMs: 1000.5,
  tokensPerSecond: 59.9,
  contextLength: 4096,
  forgottenMessages: 0,
});

/** Some words are common and most are rare, as in a language. */
function randomWords(seed: number): (count: number) => string {
  const random = randomNumbers(seed);
  const letter = () => String.fromCharCode(97 + Math.floor(random() ** 2 * 26));
  const vocabulary = Array.from({ length: 5000 }, () => Array.from({ length: 3 + Math.floor(random() * 7) }, letter).join(''));
  return (count) => Array.from({ length: count }, () => vocabulary[Math.floor(random() ** 3 * vocabulary.length)]).join(' ');
}
