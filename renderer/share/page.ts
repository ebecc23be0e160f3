/** A conversation as a page that anybody can open: one file, no script, nothing fetched, pictures in it (docs/export.md). */
import {
  answeredByInWords,
  citationInWords,
  coverageInWords,
  differenceInWords,
  isVerdict,
  shownMessages,
  type Conversation,
  type Message,
  type Picture,
} from '../../main/contract.ts';
import { isoTime } from '../format.ts';
import { strings } from '../strings.ts';
import { markdown, type Drawing } from './blocks.ts';
import { shareStyle } from './style.ts';
import { h, htmlNamespace, toMarkup, type Child, type Element } from './tree.ts';

/** Addresses (`data:`) of pictures by their hash; null: it could not be had. */
export type SharedPictures = ReadonlyMap<string, string | null>;

const text = strings.share;
/** Even if somebody puts a script or an address into the file later: nothing runs, and nothing is asked for. */
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** The whole file. It has the reader's colours, light or dark. */
export function sharedPage(conversation: Conversation, pictures: SharedPictures, drawing: Drawing): string {
  const page = h(
    'html',
    { lang: 'en' },
    h(
      'head',
      {},
      h('meta', { charset: 'utf-8' }),
      h('meta', { 'http-equiv': 'Content-Security-Policy', content: policy }),
      h('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
      h('meta', { name: 'color-scheme', content: 'light dark' }),
      h('meta', { name: 'referrer', content: 'no-referrer' }),
      h('title', {}, conversation.title),
      h('style', {}, shareStyle),
    ),
    h('body', { class: 'page' }, h('main', {}, sharedArticle(conversation, pictures, drawing))),
  );
  return `<!doctype html>\n${toMarkup(page)}\n`;
}

/** What a picture is made of: the page without its head, in one of the themes; nothing in it scrolls. */
export function sharedBlock(article: Element, theme: 'light' | 'dark'): Element {
  return h('div', { xmlns: htmlNamespace, class: 'page still', style: `color-scheme:${theme}` }, article);
}

export function sharedArticle(conversation: Conversation, pictures: SharedPictures, drawing: Drawing): Element {
  const { title, createdAt, instructions, messages } = conversation;
  const shown = shownMessages(conversation);
  const others = messages.length - shown.length;
  return h(
    'article',
    {},
    h('h1', { dir: 'auto' }, title),
    h('p', { class: 'begun' }, h('time', { datetime: isoTime(createdAt) }, text.begun(createdAt))),
    instructions === undefined ? null : section(text.instructions, h('p', { class: 'typed' }, instructions)),
    shown.map((message) => (message.role === 'user' ? question(message, pictures) : answer(message, drawing))),
    others > 0 && h('p', { class: 'note' }, text.others(others)),
    h('footer', {}, text.made),
  );
}

function section(heading: string, ...children: Child[]): Element {
  return h('section', {}, h('h2', { dir: 'auto' }, heading), children);
}

function note(words: Child): Element {
  return h('p', { class: 'note', dir: 'auto' }, words);
}

function question({ text: words, scope, pictures: brought }: Message, pictures: SharedPictures): Element {
  return section(
    text.question,
    scope ? note(strings.asking.about(scope)) : null,
    brought.map((picture) => figure(picture, pictures.get(picture.hash) ?? null)),
    words === '' ? null : h('p', { class: 'typed', dir: 'auto' }, words),
  );
}

function figure({ name, width, height }: Picture, address: string | null): Element {
  const described = strings.chat.picture(name, width, height);
  return h(
    'figure',
    {},
    address === null ? null : h('img', { src: address, width: String(width), height: String(height), alt: described }),
    h('figcaption', { dir: 'auto' }, address === null ? text.missing(name) : name),
  );
}

function answer(message: Message, drawing: Drawing): Element {
  const { text: words, model, server, failure, state, differences, coverage, citations } = message;
  const found = coverage ? citations.map((citation) => citationInWords(citation, coverage.documents > 1)) : [];
  const lines = [...found, ...differences.map(differenceInWords)];
  return section(
    text.answer(model),
    server ? note(answeredByInWords(server)) : null,
    words === '' ? null : isVerdict(message) ? h('p', { class: 'typed' }, words) : markdown(words, drawing),
    failure ? note(text.failed(failure.message)) : text.states[state] === null ? null : note(text.states[state]),
    lines.length > 0 &&
      h(
        'ul',
        { class: 'note' },
        lines.map((line) => h('li', { dir: 'auto' }, line)),
      ),
    coverage ? note(coverageInWords(coverage)) : null,
  );
}
