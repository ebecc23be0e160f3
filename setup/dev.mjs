// `npm run dev`: the window from its sources, changed in place while they are edited, on the host of `loupe serve`, which starts
// again when a file of the app or the addon changes. For a browser on this machine alone, as the product's own web host is.
import { spawn } from 'node:child_process';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:net';
import { extname, join, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ensureNative } from './native.mjs';
import { inRoot, nativeBuild, root } from './paths.mjs';
import { say, SetupError } from './report.mjs';

/** What the page asks of the host; everything else is Vite's, sources in renderer/pictures/ too. */
export const ofHost = /^\/(session$|socket$|pictures\/[0-9a-f]{64}|documents\/\d)/;
const isTest = /\.test\.ts$|[\\/]test[\\/]/;
const cookieName = 'loupe-dev';

/** @typedef {{ key: string, pictures: string }} Session */

/** The page policy of the product, but for the style elements by which Vite brings changed styles. @param {string} policy */
export function developmentPolicy(policy) {
  const strict = "style-src 'self';";
  if (!policy.includes(strict)) throw new Error(`The page policy has no "${strict}" to relax: see setup/dev.mjs.`);
  return policy.replace(strict, "style-src 'self' 'unsafe-inline';");
}

/**
 * Whether a request comes from our page in a browser that opened our link.
 * @param {import('node:http').IncomingHttpHeaders} headers @param {{ port: number, secret: string }} of
 */
export function isOurs({ host = '', origin, cookie = '' }, { port, secret }) {
  if (![`127.0.0.1:${port}`, `localhost:${port}`].includes(host)) return false;
  if (origin !== undefined && origin !== `http://${host}`) return false;
  const given = Buffer.from(
    cookie
      .split(/;\s*/)
      .find((pair) => pair.startsWith(`${cookieName}=`))
      ?.slice(cookieName.length + 1) ?? '',
  );
  const wanted = Buffer.from(secret);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** @param {string[]} args @returns {Promise<number>} exit code */
export async function dev(args) {
  const { values } = parseArgs({
    args,
    options: { port: { type: 'string', default: '5173' }, data: { type: 'string' }, 'fake-engine': { type: 'boolean', default: false } },
  });
  if (!values['fake-engine']) await ensureNative({ forTests: false });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1024 || port > 65535)
    throw new SetupError(`--port takes a number from 1024 to 65535, not "${values.port}".`, 'Leave it out for 5173.');

  const program = values['fake-engine'] ? ['e2e/fake-host.ts'] : ['main/cli/loupe.ts', 'serve', '--no-open'];
  const hostPort = await freePort();
  // Not the person's own conversations: a migration that is being written must not touch them.
  const host = watchHost([...program, '--port', String(hostPort), '--data', values.data ?? inRoot('build', 'dev-data')]);
  const { server, link } = await startVite({ port, hostPort, host });
  const stopped = new Promise((resolve) => {
    for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.once(signal, () => resolve(undefined));
  });
  server.watcher.add([inRoot('main'), join(nativeBuild, 'loupe.node')]);
  server.watcher.on('change', (path) => host.changed(path));
  await host.start();
  process.stdout.write(`${link}\n`);
  say('changes of the window show at once; changes of main/ restart the host. `npm run addon` rebuilds only the addon.');
  await stopped;
  // Vite hears the signal as well, and ends this process as soon as its server is closed: by then the host has to know.
  await Promise.all([host.stop(), server.close()]);
  return 0;
}

/** The host as a child that is restarted. @param {string[]} program */
function watchHost(program) {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let child;
  /** @type {Session | undefined} */
  let session;
  let stopping = false;
  /** @type {Promise<void>} */
  let work = Promise.resolve();
  let isDue = false;

  async function start() {
    const started = spawn(process.execPath, program, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'], env: process.env });
    child = started;
    started.once('exit', (code) => {
      if (child === started) child = undefined;
      if (!stopping && code) say(`the host ended with code ${code}; it starts again when a file of main/ changes.`);
    });
    const link = await firstLine(started);
    // The host's own link, opened on behalf of the page: its session stays here.
    if (link) session = await openLink(link);
  }

  async function stop() {
    const running = child;
    if (!running) return;
    stopping = true;
    const gone = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGTERM');
    await Promise.race([gone, sleep(10_000, undefined, { ref: false }).then(() => running.kill('SIGKILL'))]);
    await gone;
    stopping = false;
  }

  /** @param {string} path that was written */
  function changed(path) {
    const isAddon = path.endsWith('loupe.node');
    if (!isAddon && (!path.startsWith(inRoot('main') + sep) || !['.ts', '.cjs'].includes(extname(path)) || isTest.test(path))) return;
    if (isDue) return;
    isDue = true;
    work = work.then(async () => {
      // Editors and builds write several files at once.
      await sleep(200);
      isDue = false;
      say(`${isAddon ? 'the addon' : path.slice(root.length)} changed: restarting the host ...`);
      await stop();
      await start();
    });
  }

  return { start, stop: () => work.then(stop), changed, session: () => session };
}

/** A port of 127.0.0.1 that is free now. @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address());
      probe.close(() => resolve(port));
    });
  });
}

/**
 * The first line that a program prints, or undefined when it ends before.
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<string | undefined>}
 */
function firstLine(child) {
  return new Promise((resolve) => {
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (part) => {
      text += part;
      const end = text.indexOf('\n');
      if (end >= 0) resolve(text.slice(0, end));
    });
    child.once('close', () => resolve(undefined));
  });
}

/** The session that the host gives for its link. @param {string} link @returns {Promise<Session>} */
async function openLink(link) {
  const { origin, hash } = new URL(link);
  const headers = { origin, authorization: `Loupe ${hash.slice('#token='.length)}` };
  return /** @type {Session} */ (await (await fetch(new URL('/session', origin), { method: 'POST', headers })).json());
}

/**
 * @param {{ port: number, hostPort: number, host: { session:
 *   () => Session | undefined } }} options `port` for the browser, `hostPort` of the host behind it
 */
async function startVite({ port, hostPort, host }) {
  const { createLogger, createServer: createViteServer } = await import('vite');
  const { contentSecurityPolicy } = await import('../main/host/page-policy.ts');
  const secret = randomBytes(32).toString('base64url');
  const link = `http://127.0.0.1:${port}/?token=${secret}`;
  const ours = { port, secret };
  const target = `http://127.0.0.1:${hostPort}`;
  const logger = createLogger('warn');
  const { error } = logger;
  // While the host restarts, the page tries again by itself.
  logger.error = (message, options) => void (/proxy (socket )?error/.test(message) || error(message, options));

  /** @type {import('vite').Plugin} */
  const gate = {
    name: 'loupe-development-host',
    configureServer({ middlewares }) {
      middlewares.use((request, response, next) => {
        response.setHeader('Content-Security-Policy', developmentPolicy(contentSecurityPolicy));
        const url = new URL(request.url ?? '/', link);
        if (url.searchParams.get('token') === secret) {
          response.setHeader('Set-Cookie', `${cookieName}=${secret}; HttpOnly; SameSite=Strict; Path=/`);
          response.writeHead(303, { Location: '/' }).end();
        } else if (url.pathname === '/session' && isOurs(request.headers, ours)) {
          // The page's own is none: the host's changes with every restart, and stays here.
          response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"key":"dev","pictures":"dev"}');
        } else if (isOurs(request.headers, ours)) next();
        else response.writeHead(403, { 'Content-Type': 'text/plain' }).end('Open the link that `npm run dev` printed in the terminal.\n');
      });
    },
  };

  const server = await createViteServer({
    root: inRoot('renderer'),
    configFile: inRoot('renderer', 'vite.config.ts'),
    cacheDir: inRoot('build', 'vite'),
    customLogger: logger,
    // Views are imported when they are opened: packages that only they need would be found late, and reload the page.
    optimizeDeps: { entries: ['index.html', '**/*.svelte', '!**/test/**'] },
    plugins: [gate],
    server: {
      host: '127.0.0.1',
      port,
      strictPort: true,
      cors: false,
      fs: { allow: [inRoot('renderer'), inRoot('main', 'contract.ts'), inRoot('main', 'contract'), inRoot('node_modules')] },
      proxy: {
        [ofHost.source]: {
          target,
          ws: true,
          changeOrigin: true,
          bypass: (request) => (isOurs(request.headers, ours) ? undefined : false),
          configure(proxy) {
            proxy.on(
              'error',
              (_error, _request, response) => void ('writeHead' in response ? response.writeHead(503).end() : response.end()),
            );
            proxy.on('proxyReq', (request) => {
              request.path = request.path.replace(/\?key=.*$/, `?key=${host.session()?.pictures}`);
              if (request.getHeader('origin')) request.setHeader('origin', target);
            });
            proxy.on('proxyReqWs', (request) => {
              request.setHeader('sec-websocket-protocol', `loupe, session.${host.session()?.key}`);
              request.setHeader('origin', target);
            });
          },
        },
      },
    },
  });
  try {
    await server.listen();
  } catch (error) {
    throw new SetupError(
      `the window cannot be served on port ${port}: ${/** @type {Error} */ (error).message}.`,
      'Name another with --port N.',
    );
  }
  return { server, link };
}
