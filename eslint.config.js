// Faults that types do not show. Who may import whom: .dependency-cruiser.js.
import svelte from 'eslint-plugin-svelte';
import tseslint from 'typescript-eslint';
import svelteConfig from './renderer/svelte.config.js';

/**
 * Functions that are handed to Electron, other than through entries.ts.
 * @type {[string, string][]} selector, what it is
 */
const pastEntries = [
  [
    'CallExpression[callee.property.name=/^(on|once|addListener|prependListener|prependOnceListener)$/]' +
      '[callee.object.name!="process"][arguments.length=2][arguments.1.callee.name!="entry"]',
    'a listener',
  ],
  [
    'CallExpression[callee.property.name=/^(register|registerAll|handle|handleOnce|intercept)$/]' +
      '[arguments.length=2][arguments.1.callee.name!="entry"]',
    'a handler',
  ],
  [
    'CallExpression[callee.property.name=/^set\\w*Handler$|^onBefore|^onHeaders|^onSend|^onCompleted|^onErrorOccurred/]' +
      '[arguments.0.callee.name!="entry"]',
    'a handler',
  ],
  ['Property[key.name="click"][value.callee.name!="entry"]', 'a menu item'],
];

/** What opens a connection without an import, which .dependency-cruiser.js would see. */
const connecting = {
  globals: ['fetch', 'WebSocket', 'WebSocketStream', 'EventSource', 'XMLHttpRequest', 'WebTransport', 'RTCPeerConnection'],
  /** Of which object, null for any; the property. @type {[string | null, string][]} */
  properties: [
    ['process', 'getBuiltinModule'],
    ['navigator', 'sendBeacon'],
    ['electron', 'net'],
    ['session', 'fetch'],
  ],
  message: 'Connections are opened in main/services/network.ts alone, which counts them and can refuse them.',
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
  {
    files: ['main/**/*.ts', 'renderer/**/*.ts', 'renderer/**/*.svelte'],
    // The window speaks to the host that it came from.
    ignores: ['**/*.test.ts', '**/test/**', 'renderer/api/{session,websocket}.ts'],
    rules: {
      'no-restricted-globals': ['error', ...connecting.globals.map((name) => ({ name, message: connecting.message }))],
      'no-restricted-properties': [
        'error',
        ...['globalThis', 'window', 'self'].flatMap((object) =>
          connecting.globals.map((property) => ({ object, property, message: connecting.message })),
        ),
        ...connecting.properties.map(([object, property]) => ({ ...(object ? { object } : {}), property, message: connecting.message })),
      ],
    },
  },
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
  {
    // As in .dependency-cruiser.js, which sees components without their type imports.
    files: ['renderer/**/*.svelte'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['**/main/**', '!**/main/contract.ts', '!**/main/contract/**', 'electron'],
              message: 'The window knows the contract and nothing else of main/.',
            },
          ],
        },
      ],
    },
  },
);
