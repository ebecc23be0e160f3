import type { Server } from '../../main/contract.ts';
import { seconds } from '../format.ts';

/** Settings > Servers. */
export const servers = {
  hint:
    'A model on a server can answer in place of one on this computer: vLLM, SGLang, llama-server, Ollama, LM Studio, and everything else that ' +
    'speaks as OpenAI’s servers do. Nothing is sent to a server until you choose its model and ask.',
  add: 'Add a server…',
  addTitle: 'Add a server',
  address: 'Address',
  addressHint: 'As in http://127.0.0.1:8080/v1 or https://example.org/v1.',
  key: 'Key',
  keyHint: 'Only where the server asks for one.',
  keyKept: {
    keychain: 'A key is in the system’s keychain.',
    session: 'A key is kept until Loupe ends.',
  } satisfies Record<NonNullable<Server['key']>, string>,
  keyless: 'No key is sent.',
  keyForget: 'Forget the key',
  keySave: 'Save the key',
  look: 'Look for its models',
  looking: 'Asking the server…',
  noModels: 'The server answers, and offers no model. Load one there, or enter its name.',
  model: 'Model',
  modelHint: 'As the server calls it.',
  name: 'Name',
  nameHint: 'How Loupe calls this server.',
  sees: 'Sees pictures',
  seesHint: 'The pictures of the conversation are sent, all of them and as the files are. Turn it off for a model that only reads.',
  documents: 'May get pages of documents',
  documentsHint: 'Off: questions about your documents are answered on this computer alone.',
  documentsTitle: (name: string) => `Send pages of documents to ${name}?`,
  documentsWords: (host: string) =>
    `When you ask this server about a document, the text and the pictures of its pages are sent to ${host}. Whoever runs it can read and keep them.`,
  documentsConfirm: 'Allow it',
  documentsDecline: 'Keep them here',
  save: 'Add it',
  cancel: 'Cancel',
  test: 'Test',
  testOf: (name: string) => `Test ${name}`,
  testing: 'Asking a short question…',
  tested: (text: string, ms: number) =>
    text === '' ? `It answers (after ${seconds(ms)}), with no words.` : `It answers: “${text}”, after ${seconds(ms)}.`,
  use: 'Use its model',
  useOf: (name: string) => `Use the model of ${name}`,
  used: 'In use',
  remove: (name: string) => `Remove ${name}`,
  removeTitle: (name: string) => `Remove ${name}?`,
  removeWords: 'Its address and its key are forgotten. Answers that it gave stay, with their mark.',
  removeConfirm: 'Remove it',
  removed: (name: string) => `${name} was removed.`,
  where: ({ here, encrypted, host }: Pick<Server, 'here' | 'encrypted' | 'host'>) =>
    here ? `${host}, on this computer` : `${host}, ${encrypted ? 'encrypted' : 'not encrypted'}`,
  unencryptedTitle: 'Send without encryption?',
  unencryptedConfirm: 'I trust this network',
  list: 'Servers',
};
