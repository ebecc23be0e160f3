// Faults that types do not show, and the import rules of the architecture.
import svelte from 'eslint-plugin-svelte';
import tseslint from 'typescript-eslint';
import svelteConfig from './renderer/svelte.config.js';

/**
 * Forbids imports below a folder of main/. Patterns are in gitignore style and match the specifier as written.
 * @param {string[]} files
 * @param {{ group: string[], message: string, allowTypeImports?: boolean }[]} patterns
 */
function imports(files, patterns) {
  return { files, ignores: ['**/*.test.ts', '**/test/**'], rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] } };
}

/**
 * Functions that are handed to Electron, other than through entries.ts.
 * @type {[string, string][]} selector, what it is
 */
const pastEntries = [
  [
    'CallExpression[callee.property.name=/^(on|once|addListener|prependListener|prependOnceListener)$/][callee.object.name!="process"][arguments.length=2][arguments.1.callee.name!="entry"]',
    'a listener',
  ],
  [
    'CallExpression[callee.property.name=/^(register|registerAll|handle|handleOnce|intercept)$/][arguments.length=2][arguments.1.callee.name!="entry"]',
    'a handler',
  ],
  [
    'CallExpression[callee.property.name=/^set\\w*Handler$|^onBefore|^onHeaders|^onSend|^onCompleted|^onErrorOccurred/][arguments.0.callee.name!="entry"]',
    'a handler',
  ],
  ['Property[key.name="click"][value.callee.name!="entry"]', 'a menu item'],
];

const electron = { group: ['electron', 'electron/*'], message: 'Only main/electron/ imports electron: everything works without it.' };
const hosts = {
  group: ['**/electron/**', '**/cli/**', '**/web/**', '**/app.ts'],
  message: 'Hosts stand at the top: nothing below imports them.',
};

export default tseslint.config(
  { ignores: ['build/', '.tools/', 'node_modules/', 'dist/', 'release/', '**/*.cjs'] },
  ...tseslint.configs.strict,
  ...svelte.configs.recommended,
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: tseslint.parser, extraFileExtensions: ['.svelte'], svelteConfig } },
  },
  {
    files: ['**/*.ts', '**/*.mjs', '**/*.svelte'],
    languageOptions: { parserOptions: { projectService: true, extraFileExtensions: ['.svelte'] } },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'no-control-regex': 'off',
      'prefer-const': 'error',
      // `!` after an index that the line before has bounded is clearer than a branch that cannot be reached.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/no-dynamic-delete': 'off',
      // `void` in a union is how a callback says that its result is not looked at.
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    rules: {
      // Types of a component are inferred by svelte-check; here its props would be `any` where they are not.
      'no-undef': 'off',
      'prefer-const': 'off',
      'svelte/prefer-const': ['error', { destructuring: 'all' }],
      // State is replaced whole or private and never shown.
      'svelte/prefer-svelte-reactivity': 'off',
      'svelte/no-at-html-tags': 'error',
      'svelte/button-has-type': 'error',
      'svelte/require-each-key': 'error',
    },
  },
  { files: ['**/*.test.ts'], rules: { 'no-console': 'off' } },
  imports(
    ['main/*.ts'],
    [electron, { group: ['**/electron/**', '**/cli/**', '**/web/**'], message: 'Hosts stand at the top: nothing below imports them.' }],
  ),
  imports(
    ['main/contract.ts'],
    [{ group: ['*', '!valibot'], message: 'contract.ts imports only the schema library: the window imports it.' }],
  ),
  imports(
    ['main/services/**'],
    [
      electron,
      hosts,
      {
        group: ['sharp', 'better-sqlite3', '**/storage/**'],
        message: 'Services know ports, contract, errors and pure functions; the world comes in through ports.ts.',
      },
      {
        group: ['**/engine/**', '**/image/prepare.ts'],
        allowTypeImports: true,
        message: 'Services reach the engine through the Engine port; its types they may name.',
      },
    ],
  ),
  imports(['main/image/**', 'main/storage/**'], [electron, hosts]),
  imports(['main/engine/**'], [electron, hosts, { group: ['**/storage/**'], message: 'The engine keeps nothing: the chat service does.' }]),
  imports(
    ['main/cli/**'],
    [
      electron,
      {
        group: ['**/electron/**', '**/web/**', '!**/web/serve.ts'],
        message: 'Hosts never import one another; `loupe serve` starts the web host through its one entry.',
      },
      {
        group: ['**/engine/addon.ts'],
        allowTypeImports: true,
        message: 'Only the engine process loads the addon: a driver crash must not end the app.',
      },
    ],
  ),
  imports(['main/web/**'], [electron, { group: ['**/electron/**', '**/cli/**'], message: 'Hosts never import one another.' }]),
  imports(
    ['main/electron/**'],
    [
      { group: ['**/web/**', '**/cli/**'], message: 'Hosts never import one another.' },
      {
        group: ['electron', 'electron/*'],
        allowTypeImports: true,
        message: 'Parts of the shell take Electron as a parameter, so that they run on a double.',
      },
    ],
  ),
  {
    files: ['main/electron/**'],
    ignores: ['**/*.test.ts', '**/test/**', 'main/electron/preload.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        ...pastEntries.map(([selector, what]) => ({
          selector,
          message: `Electron gets ${what} only through entry() of entries.ts: what it leaves behind would lie until the loop wakes.`,
        })),
      ],
    },
  },
  // The two entries that Electron itself loads.
  imports(
    ['main/electron/main.ts', 'main/electron/preload.ts'],
    [{ group: ['**/web/**', '**/cli/**'], message: 'Hosts never import one another.' }],
  ),
  imports(
    ['renderer/**'],
    [electron, { group: ['**/main/**', '!**/main/contract.ts'], message: 'The window knows the contract and nothing else of main/.' }],
  ),
  imports(['setup/**'], [{ regex: '^[^.](?!ode:)', message: 'Set-up runs before any package is installed.' }]),
);
