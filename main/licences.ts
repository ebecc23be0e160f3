/** Licences of Loupe and of what it is built from, as its packages carry them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Licence {
  name: string;
  text: string;
}

/** `root` holds resources/licences/ and node_modules/. Packages without a licence file are named by what package.json says. */
export async function readLicences(root: string): Promise<Licence[]> {
  const folder = join(root, 'resources', 'licences');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.txt')).sort();
  const own = await Promise.all(files.map(async (name) => ({ name: name.slice(0, -'.txt'.length), text: await readFile(join(folder, name), 'utf8') })));
  const { dependencies = {} } = await readPackage(root);
  const packages = await Promise.all(Object.keys(dependencies).sort().map((name) => packageLicence(join(root, 'node_modules', name), name)));
  return [...own, ...packages];
}

async function packageLicence(directory: string, name: string): Promise<Licence> {
  const files = await readdir(directory).catch(() => []);
  const file = files.find((entry) => /^(licen[cs]e|copying)/i.test(entry));
  if (file) return { name, text: await readFile(join(directory, file), 'utf8') };
  const { license } = await readPackage(directory);
  return { name, text: `${name}: ${license ?? 'no licence stated'}` };
}

async function readPackage(directory: string): Promise<{ dependencies?: Record<string, string>; license?: string }> {
  const text = await readFile(join(directory, 'package.json'), 'utf8').catch(() => '{}');
  return JSON.parse(text) as { dependencies?: Record<string, string>; license?: string };
}
