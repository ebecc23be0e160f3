/** Licences of Loupe and of what it is built from, as its packages carry them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Licence {
  name: string;
  text: string;
}

/** Built into the window, or what the app runs on, though the app itself never imports them. */
const alsoShipped = [
  ...['@lucide/svelte', 'devlop', 'electron', 'entities', 'highlight.js', 'linkify-it', 'lowlight', 'markdown-it', 'mdurl'],
  // Its headers are compiled into the engine.
  'node-addon-api',
  ...['punycode.js', 'svelte', 'temml', 'uc.micro'],
];

/**
 * `root` holds resources/licences/, package-lock.json and node_modules/.
 * Packages without a licence file are named by their README, or by what package.json says.
 */
export async function readLicences(root: string): Promise<Licence[]> {
  const folder = join(root, 'resources', 'licences');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.txt')).sort();
  const own = await Promise.all(
    files.map(async (name) => ({ name: name.slice(0, -'.txt'.length), text: await readFile(join(folder, name), 'utf8') })),
  );
  const shipped = await installedForProduction(root);
  for (const name of alsoShipped) shipped.set(name, join(root, 'node_modules', name));
  const packages = await Promise.all([...shipped].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, path]) => packageLicence(path, name)));
  return [...own, ...packages];
}

/**
 * Every package that the app needs, and what those need: name -> folder. Native parts come as packages of their own, one for each system,
 * of which only this system's are installed.
 */
async function installedForProduction(root: string): Promise<Map<string, string>> {
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>;
  };
  const found = new Map<string, string>();
  for (const [path, { dev, devOptional }] of Object.entries(lock.packages)) {
    if (path === '' || dev || devOptional) continue;
    const isHere = await readdir(join(root, path)).catch(() => null);
    if (isHere) found.set(path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length), join(root, path));
  }
  return found;
}

async function packageLicence(directory: string, name: string): Promise<Licence> {
  const all = await readdir(directory).catch(() => []);
  const licences = await licencesIn(directory);
  // One of the wrapper, one of what is wrapped.
  const files = licences.length > 0 ? licences : all.filter((entry) => /^readme/i.test(entry)).slice(0, 1);
  if (files.length > 0)
    return { name, text: (await Promise.all(files.map((file) => readFile(join(directory, file), 'utf8')))).join('\n\n') };
  const { license } = await readPackage(directory);
  return { name, text: `${name}: ${license ?? 'no licence stated'}` };
}

/** Of the package, and of what others made that lies in folders of its own: fonts, decoders. As paths in it, its own first. */
async function licencesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const isLicence = (name: string): boolean => /^(licen[cs]e|copying|notice|third.?party)/i.test(name);
  const own = entries.filter((entry) => entry.isFile() && isLicence(entry.name)).map(({ name }) => name);
  const folders = entries.filter((entry) => entry.isDirectory() && entry.name !== 'node_modules').map(({ name }) => name);
  const below = await Promise.all(
    folders.map(async (folder) => {
      const inside = await readdir(join(directory, folder), { withFileTypes: true });
      return inside.filter((entry) => entry.isFile() && isLicence(entry.name)).map(({ name }) => join(folder, name));
    }),
  );
  return [...own.sort(), ...below.flat().sort()];
}

async function readPackage(directory: string): Promise<{ license?: string }> {
  const text = await readFile(join(directory, 'package.json'), 'utf8').catch(() => '{}');
  return JSON.parse(text) as { license?: string };
}
