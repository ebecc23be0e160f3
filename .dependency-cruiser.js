// Who may import whom, type imports included. `npm run check` and `npm test` hold every file to it.
//
// A rule is a name, why it is there, and two patterns of paths from the root: of files `from` ... `to` must not be imported.
// Components are compiled before they are read, which drops their type imports: for those eslint.config.js has a rule of its own.

/** @typedef {import('dependency-cruiser').IRegularForbiddenRuleType} Rule */

/**
 * @param {string} name
 * @param {string} comment
 * @param {Rule['from']} from
 * @param {Rule['to']} to
 * @returns {Rule}
 */
const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

/** Where Loupe meets its user. Each is the top of a program of its own. */
const hosts = '^main/(electron|cli|web|api)/';
/** What puts the app together for a host. */
const composition = '^main/(app|model-services|document-services)\\.ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    // --- circles
    // A component that contains itself, as lists in lists do, is no circle.
    forbid(
      'no-circle-of-files',
      'Files that import one another can only be understood, and moved, together.',
      { path: '(.+)' },
      { circular: true, pathNot: '^$1$' },
    ),
    { ...forbid('no-circle-of-folders', 'Folders import in one direction only.', {}, { circular: true }), scope: 'folder' },

    // --- main/, from the top down
    forbid('hosts-stand-at-the-top', 'Nothing below a host imports it.', { path: '^(main|renderer)/', pathNot: hosts }, { path: [hosts] }),
    forbid(
      'composition-serves-hosts-alone',
      'Ports go in and handlers come out; what is composed does not know it.',
      { path: '^main/', pathNot: [hosts, composition] },
      { path: composition },
    ),
    forbid(
      'hosts-do-not-know-one-another',
      'The app works without each of them. `loupe serve` and `loupe api` start theirs through its one entry, and `loupe mcp` calls one.',
      { path: '^main/(electron|cli|web|api)/' },
      { path: hosts, pathNot: ['^main/$1/', '^main/(web|api)/serve\\.ts$', '^main/api/call\\.ts$'] },
    ),
    forbid(
      'services-know-ports',
      'The world comes in through services/ports.ts: no process, file format or database is known by a service.',
      { path: '^main/services/' },
      { path: ['^main/storage/', '^main/(engine|process)/', '^main/image/prepare\\.ts$', '^node_modules/(sharp|better-sqlite3)/'] },
    ),
    forbid('engine-keeps-nothing', 'The engine answers; the chat service stores.', { path: '^main/engine/' }, { path: '^main/storage/' }),
    forbid(
      'one-loader-of-the-addon',
      "Only the engine's process loads the addon: a driver that crashes must not end the app.",
      { path: '^main/', pathNot: '^main/(engine|process)/' },
      { path: '^main/process/addon\\.ts$' },
    ),
    forbid(
      'one-way-to-the-network',
      'Connections are opened in services/network.ts, which counts and refuses them, and answered on 127.0.0.1 by the hosts. The X server ' +
        'of the display is asked over its socket in the file system. fetch and WebSocket: eslint.config.js.',
      { path: '^(main|renderer)/', pathNot: '^main/(services/network\\.ts$|electron/x11/connection\\.ts$|(web|api)/)' },
      {
        path: '^((node:)?(net|http|https|http2|tls|dgram|dns(/promises)?|inspector(/promises)?)$|node_modules/(undici|ws)/)',
        dependencyTypesNot: ['type-only'],
      },
    ),
    forbid(
      'hosts-answer-and-do-not-ask',
      'A host listens; what it would fetch goes through services/network.ts.',
      { path: '^main/(web|api)/' },
      {
        path: '^((node:)?(net|https|http2|tls|dgram|dns(/promises)?|inspector(/promises)?)$|node_modules/undici/)',
        dependencyTypesNot: ['type-only'],
      },
    ),
    forbid(
      'contract-stands-alone',
      'The window imports contract.ts: it may bring the schema library along, and nothing else.',
      { path: '^main/contract(\\.ts$|/)' },
      { pathNot: ['^main/contract(\\.ts$|/)', '^node_modules/valibot/'] },
    ),

    // --- Electron
    forbid(
      'electron-stays-in-its-folder',
      'Everything works without Electron.',
      { pathNot: '^main/electron/' },
      { path: '^(node_modules/)?electron(/|$)' },
    ),
    forbid(
      'two-entries-load-electron',
      'Parts of the shell take Electron as a parameter, so that they run on a double. Its types they may name.',
      { path: '^main/electron/', pathNot: '^main/electron/(main|preload)\\.ts$' },
      { path: '^(node_modules/)?electron(/|$)', dependencyTypesNot: ['type-only'] },
    ),

    // --- renderer/
    forbid(
      'window-knows-the-contract',
      'The window knows contract.ts and nothing else of the app.',
      { path: '^renderer/' },
      { path: '^main/', pathNot: '^main/contract(\\.ts$|/)' },
    ),
    forbid(
      'logic-draws-nothing',
      'What can be computed is tested without a page.',
      { path: '^renderer/(api|capture|markdown|pictures|settings|state|strings)/' },
      { path: '^renderer/(components|views)/' },
    ),

    // --- setup/
    forbid(
      'setup-needs-no-package',
      'Set-up runs before any package is installed. What needs one imports it when it is called.',
      { path: '^setup/.*\\.mjs$' },
      { path: '^node_modules/', dynamic: false },
    ),

    forbid('imports-exist', 'A file or package that is imported must be there.', {}, { couldNotResolve: true }),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    // Tests may reach anywhere.
    exclude: { path: ['\\.(test|eval)\\.ts$', '/test/', '^renderer/vite\\.config\\.ts$', '^main/electron/vite\\.config\\.ts$'] },
    doNotFollow: { path: ['^node_modules/', '^resources/', '^build/'] },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'svelte', 'default'] },
    skipAnalysisNotInRules: true,
  },
};
