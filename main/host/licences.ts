/** Licences of Loupe and of what it is built from, as its packages carry them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Licence {
  name: string;
  text: string;
}

/** Built into the window, though the app itself never imports them. */
const inWindow = ['@lucide/svelte', 'entities', 'linkify-it', 'markdown-it', 'mdurl', 'punycode.js', 'svelte', 'uc.micro'];

/**
 * `root` holds resources/licences/ and node_modules/.
 * Packages without a licence file are named by their README, or by what package.json says.
 */
export async function readLicences(root: string): Promise<Licence[]> {
  const folder = join(root, 'resources', 'licences');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.txt')).sort();
  const own = await Promise.all(
    files.map(async (name) => ({ name: name.slice(0, -'.txt'.length), text: await readFile(join(folder, name), 'utf8') })),
  );
  const { dependencies = {} } = await readPackage(root);
  // libvips and what it is made of come for each system as packages of their own.
  const images = (await readdir(join(root, 'node_modules', '@img')).catch(() => [])).map((name) => `@img/${name}`);
  const names = [...Object.keys(dependencies), ...inWindow, ...images].sort();
  const packages = await Promise.all(names.map((name) => packageLicence(join(root, 'node_modules', name), name)));
  return [...own, ...packages];
}

async function packageLicence(directory: string, name: string): Promise<Licence> {
  const all = await readdir(directory).catch(() => []);
  const licences = all.filter((entry) => /^(licen[cs]e|copying)/i.test(entry)).sort();
  // One of the wrapper, one of what is wrapped.
  const files = licences.length > 0 ? licences : all.filter((entry) => /^readme/i.test(entry)).slice(0, 1);
  if (files.length > 0)
    return { name, text: (await Promise.all(files.map((file) => readFile(join(directory, file), 'utf8')))).join('\n\n') };
  const { license } = await readPackage(directory);
  return { name, text: `${name}: ${license ?? 'no licence stated'}` };
}

async function readPackage(directory: string): Promise<{ dependencies?: Record<string, string>; license?: string }> {
  const text = await readFile(join(directory, 'package.json'), 'utf8').catch(() => '{}');
  return JSON.parse(text) as { dependencies?: Record<string, string>; license?: string };
}
