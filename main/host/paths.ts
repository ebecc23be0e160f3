/** Where things are: what comes with Loupe, and what it keeps. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout, or the folder of the packaged app. */
export const root = fileURLToPath(new URL('../..', import.meta.url));

export const demoModel = join(root, 'resources', 'demo-model');
/** The models that read text in pictures. */
export const ocrModels = join(root, 'resources', 'ocr');
/** Pages whose answers are known; in a checkout. */
export const evaluationDirectory = join(root, 'fixtures', 'evaluation');
/** What is known of the meaning of words. */
export const wordVectorsDirectory = join(root, 'resources', 'word-vectors');
export const rendererDirectory = join(root, 'build', 'renderer');

/** LOUPE_DATA, or the place that the system keeps for it: every host of one user finds the same conversations. */
export function dataDirectory(environment: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): string {
  const named = environment['LOUPE_DATA'];
  if (named) return named;
  if (platform === 'win32') return join(environment['APPDATA'] ?? join(homedir(), 'AppData', 'Roaming'), 'Loupe');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'Loupe');
  return join(environment['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'loupe');
}

/** Where downloaded models go: LOUPE_MODELS, or a folder beside the conversations. */
export function modelsDirectory(data: string, environment: NodeJS.ProcessEnv = process.env): string {
  return environment['LOUPE_MODELS'] || join(data, 'models');
}
