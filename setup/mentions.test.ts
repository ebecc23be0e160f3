/** What documentation and comments mention is there: files, npm scripts, test projects, commands, environment variables. */
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { inRoot } from './paths.mjs';
import { sourceFiles } from './tree.mjs';

/** With a slash, so that `npm run check` sees that this test reads what is in them. */
const rooms = ['.github/', 'docs/', 'e2e/', 'fixtures/', 'main/', 'native/', 'renderer/', 'resources/', 'setup/', 'shaders/', 'training/'];
const isProse = (path: string): boolean => path.endsWith('.md');
/** The changelog also names what once was. */
const isRead = (path: string): boolean =>
  path !== 'CHANGELOG.md' && /\.(md|ts|mjs|cjs|js|svelte|css|cpp|h|comp|glsl|py|sh|ya?ml)$/.test(path);
/** Files of this repository end so; a `config.json` may be a model's. */
const ourFile = /(?<![\w./*<{\]-])[\w.-]+(?:\/[\w.-]+)*\.(?:ts|mjs|cjs|svelte|css|cpp|h|comp|glsl|py|md)(?![\w*}/-])/g;
/** Lines that name files of other projects name the project. */
const ofOthers = /llama\.cpp|ollama|ggml|huggingface|meta-llama|transformers|quants\.py/i;
/** Files that stand for any: of the tasks in CONTRIBUTING, and examples of names. */
const examples = /tanh\.(comp|cpp)$|NNN-name|^ops\/x\.cpp$|^(server\.py|readme\.md)$/;

const files = await sourceFiles();
const folders = new Set(files.flatMap((file) => parents(file)));
/** A path may be shortened at its beginning: `storage/store.ts`. */
const ends = new Set([...files, ...folders].flatMap((path) => path.split('/').map((_, index, parts) => parts.slice(index).join('/'))));

function parents(file: string): string[] {
  const parts = file.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

interface Line {
  path: string;
  number: number;
  /** Of Markdown the line, of a source what it comments; null for a line of code. */
  words: string | null;
  whole: string;
}

const lines: Line[] = files.filter(isRead).flatMap((path) =>
  readFileSync(inRoot(path), 'utf8')
    .split('\n')
    .map((whole, index) => {
      const words = isProse(path) ? whole : (/(?:^|\s)(?:\/{2,3}|\/\*\*?|\*|#)\s(.*)/.exec(whole)?.[1] ?? null);
      return { path, number: index + 1, words, whole };
    }),
);

/** Where `find` finds names in what people read of which `isThere` does not hold. */
function missing(find: (line: Line) => Iterable<string>, isThere: (name: string, line: Line) => boolean): string[] {
  return lines.flatMap((line) =>
    [...new Set(find(line))].filter((name) => !isThere(name, line)).map((name) => `${line.path}:${line.number}: ${name}`),
  );
}

/** What the first group of `pattern` matches. */
const found = (text: string | null, pattern: RegExp): string[] => [...(text ?? '').matchAll(pattern)].map(([all, name]) => name ?? all);

function isFile(name: string, { path, words }: Line): boolean {
  const besides = posix.normalize(posix.join(posix.dirname(path), name)).replace(/\/$/, '');
  return ends.has(besides) || ends.has(name.replace(/^\.\//, '').replace(/\/$/, '')) || examples.test(name) || ofOthers.test(words ?? '');
}

test('files and folders', () => {
  const named = ({ path, words }: Line): string[] => [
    ...(isProse(path) ? found(words, /\]\(([^)\s#:]+)(?=[)#])/g) : []),
    ...found(words, ourFile),
    ...found(words, /`([\w.-]+\/[\w./-]*)`/g).filter((name) => rooms.some((room) => name.startsWith(room))),
  ];
  expect(missing(named, isFile)).toEqual([]);
});

test('npm scripts', () => {
  const { scripts } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8')) as { scripts: Record<string, string> };
  const named = ({ whole }: Line): string[] => found(whole, /\bnpm run (?:--silent )?([a-z][a-z:-]*)/g);
  expect(missing(named, (name) => Object.hasOwn(scripts, name))).toEqual([]);
});

test('projects of tests', () => {
  const configuration = readFileSync(inRoot('vitest.config.ts'), 'utf8');
  const named = ({ words }: Line): string[] => found(words, /\bvitest[^`]* --project ([a-z]+)/g);
  expect(missing(named, (name) => configuration.includes(`name: '${name}'`))).toEqual([]);
});

test('commands of loupe', () => {
  const help = (command: string): string => readFileSync(inRoot('main', 'cli', `${command}.ts`), 'utf8');
  const isCommand = (name: string): boolean => {
    const [command, action] = name.split(' ') as [string, string?];
    if (!new RegExp(`^  ${command}: \\{ run`, 'm').test(help('run'))) return false;
    return action === undefined || new RegExp(`^  ${action} `, 'm').test(help(command));
  };
  const named = ({ words }: Line): string[] => found(words, /`loupe ((?:models|documents) [a-z]+|[a-z]+)/g);
  expect(missing(named, isCommand)).toEqual([]);
});

test('environment variables', () => {
  const code = lines.filter(({ path, words }) => !isProse(path) && words === null).map(({ whole }) => whole);
  const read = new Set(code.flatMap((line) => found(line, /\bLOUPE_[A-Z_]+/g)));
  expect(
    missing(
      ({ path, words }) => (isProse(path) ? found(words, /\bLOUPE_[A-Z_]+/g) : []),
      (name) => read.has(name),
    ),
  ).toEqual([]);
});
