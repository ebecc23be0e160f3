/** Where things are: in a checkout beside the bundle, in a package beside the archive. */
import { dirname, join } from 'node:path';
import { childEnvironment } from '../process/environment.ts';

export interface Places {
  renderer: string;
  preload: string;
  engineEntry: string;
  pictureEntry: string;
  checkEntry: string;
  ocrEntry: string;
  documentEntry: string;
  /** Read by native code, which knows no archive. */
  addon: string;
  shaders: string;
  ocrModels: string;
  wordVectors: string;
  demoModel: string;
  icons: string;
  /** Texts that the bundle gathered: a JSON list of {name, text}. */
  licences: string;
  /** Folder of package.json. */
  root: string;
}

export interface Surroundings {
  packaged: boolean;
  /** Folder of the bundle: build/app, in a checkout or in the archive. */
  bundle: string;
  /** Electron's `process.resourcesPath`. */
  resources: string;
}

export function findPlaces({ packaged, bundle, resources }: Surroundings): Places {
  const build = dirname(bundle);
  const root = dirname(build);
  const inBundle = {
    renderer: join(build, 'renderer'),
    preload: join(bundle, 'preload.cjs'),
    engineEntry: join(bundle, 'host.js'),
    pictureEntry: join(bundle, 'picture-worker.js'),
    checkEntry: join(bundle, 'check-worker.js'),
    ocrEntry: join(bundle, 'ocr-worker.js'),
    documentEntry: join(bundle, 'document-worker.js'),
    licences: join(bundle, 'licences.json'),
    root,
  };
  if (!packaged) {
    return {
      ...inBundle,
      addon: join(build, 'native', 'loupe.node'),
      shaders: join(build, 'shaders'),
      ocrModels: join(root, 'resources', 'ocr'),
      wordVectors: join(root, 'resources', 'word-vectors'),
      demoModel: join(root, 'resources', 'demo-model'),
      icons: join(root, 'resources', 'icons'),
    };
  }
  return {
    ...inBundle,
    addon: join(resources, 'engine', 'loupe.node'),
    shaders: join(resources, 'engine', 'shaders'),
    ocrModels: join(resources, 'ocr'),
    wordVectors: join(resources, 'word-vectors'),
    demoModel: join(resources, 'demo-model'),
    icons: join(resources, 'icons'),
  };
}

/** What other processes are told of them. In a checkout names that the person set win; a package runs what is in it. */
export function placesEnvironment(
  { addon, shaders, ocrModels }: Places,
  env: NodeJS.ProcessEnv,
  { packaged }: { packaged: boolean },
): NodeJS.ProcessEnv {
  return { LOUPE_ADDON: addon, LOUPE_SHADERS: shaders, LOUPE_OCR: ocrModels, ...childEnvironment(env, { packaged }) };
}
