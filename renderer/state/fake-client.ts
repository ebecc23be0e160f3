/** A client without an app, for tests of state: answers are functions, events are sent by hand. */
import type {
  Conversation,
  ConversationSummary,
  EventName,
  Input,
  Message,
  Output,
  Payload,
  Picture,
  RequestName,
} from '../../main/contract.ts';
import type { Client } from '../api/client.ts';
import { createListeners } from '../api/listeners.ts';

type Answers = { [Name in RequestName]?: (input: Input<Name>) => Output<Name> | Promise<Output<Name>> };

export interface FakeClient extends Client {
  /** Every request so far. */
  readonly asked: { name: RequestName; input: unknown }[];
  inputs<Name extends RequestName>(name: Name): Input<Name>[];
  send<Name extends EventName>(event: Name, payload: Payload<Name>): void;
  connect(connected: boolean): void;
}

export function createFakeClient(answers: Answers = {}): FakeClient {
  const asked: FakeClient['asked'] = [];
  const { on, onConnection, tell, tellConnection } = createListeners();
  return {
    asked,
    inputs: <Name extends RequestName>(name: Name) =>
      asked.filter((request) => request.name === name).map(({ input }) => input as Input<Name>),
    async request<Name extends RequestName>(name: Name, input: Input<Name>): Promise<Output<Name>> {
      asked.push({ name, input });
      const answer = answers[name] as ((input: Input<Name>) => Output<Name> | Promise<Output<Name>>) | undefined;
      if (!answer) throw new Error(`No answer to ${name}.`);
      return answer(input);
    },
    on,
    onConnection,
    send: tell,
    connect: tellConnection,
  };
}

export function picture(letter: string): Picture {
  return { hash: letter.repeat(64), name: `${letter}.png`, width: 100, height: 50, bytes: 1_000, origin: { kind: 'paste' } };
}

export function message(id: number, parentId: number | null, more: Partial<Message> = {}): Message {
  const role = more.role ?? 'user';
  return {
    id,
    conversationId: 1,
    parentId,
    role,
    text: `text ${id}`,
    pictures: [],
    state: 'complete',
    failure: null,
    finish: role === 'user' ? null : 'stop',
    model: role === 'user' ? null : 'Demo',
    statistics: null,
    judgement: null,
    scope: null,
    coverage: null,
    citations: [],
    differences: [],
    createdAt: id,
    ...more,
  };
}

export function summary(id: number, more: Partial<ConversationSummary> = {}): ConversationSummary {
  return {
    id,
    title: `Conversation ${id}`,
    pinned: false,
    createdAt: id,
    updatedAt: id,
    messageCount: 2,
    picture: null,
    busy: false,
    ...more,
  };
}

export function conversation(messages: Message[], more: Partial<Conversation> = {}): Conversation {
  return {
    ...summary(1),
    messages,
    leafId: messages.at(-1)?.id ?? null,
    pinnedPicture: null,
    checks: [],
    draft: { text: '', pictures: [] },
    ...more,
  };
}
