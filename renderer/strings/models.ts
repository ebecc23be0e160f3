import type { Download, FileFit, Fitting, FoundModel, ModelChoice, SanityCheck, Quantising, Verification } from '../../main/contract.ts';
import { bytes, timeLeft, when } from '../format.ts';

const forms: Record<Fitting['quantisation'], string> = { bf16: 'As downloaded', q8_0: 'In 8 bits', q4_k_m: 'In 4 bits' };

export const models = {
  title: 'Models',
  manage: 'Find or download models',
  getVision: 'Get Llama 3.2 Vision',

  // On this computer
  here: 'On this computer',
  hereHint: 'Used in place; nothing is copied.',
  looking: 'Looking for models in the folders of Ollama, Hugging Face, LM Studio and llama.cpp…',
  nothingFound: 'No other models were found in the folders of Ollama, Hugging Face, LM Studio and llama.cpp.',
  use: 'Use it',
  used: 'In use',
  kinds: {
    demo: 'Comes with Loupe. Reads short text, with mistakes.',
    vision: 'Looks at pictures and answers.',
    text: 'Answers without pictures.',
    guard: 'Judges whether a question is safe. Does not answer it.',
    server: 'Answers on a server: the conversation and its pictures are sent there.',
  } satisfies Record<ModelChoice['kind'], string>,
  gone: 'Its files are missing. Is a drive disconnected?',
  sources: {
    huggingface: 'Hugging Face',
    ollama: 'Ollama',
    lmstudio: 'LM Studio',
    llamacpp: 'llama.cpp',
    folder: 'Folder',
  } satisfies Record<FoundModel['source'], string>,
  foundFacts: ({ precision, bytes: size }: FoundModel) => [precision, size > 0 ? bytes(size) : ''].filter(Boolean).join(', '),
  incomplete: 'Incomplete.',
  unsupported: 'Cannot be used.',
  lookAt: 'Look elsewhere',
  lookAtHint: 'A model folder, a .gguf file, or a folder or drive that contains models.',
  lookAtPlaceholder: '/media/usb/models',
  look: 'Look',
  more: (name: string) => `More for ${name}`,
  check: 'Check its files',
  forget: 'Remove from the list',
  forgotten: (name: string) => `${name} was removed from the list. Its files stay where they are.`,
  deleteFiles: 'Delete its files',
  deleteTitle: (name: string) => `Delete ${name}?`,
  deleteWords: (size: string) => `Its files${size ? ` (${size})` : ''} will be deleted from this computer. You can download them again.`,
  deleteConfirm: 'Delete the files',
  deleted: (name: string) => `${name} and its files were deleted.`,
  quantise: { q4_k_m: 'Make a 4-bit copy', q8_0: 'Make an 8-bit copy' } satisfies Record<Quantising['form'], string>,
  quantising: ({ form, doneBytes, totalBytes }: Quantising) =>
    `Making ${form === 'q8_0' ? 'an 8-bit' : 'a 4-bit'} copy: ${bytes(doneBytes)} of ${bytes(totalBytes)} read`,
  quantised: 'The quantised copy is in the list.',
  stop: 'Stop',
  checking: ({ doneBytes, totalBytes }: Verification) => `Reading its files: ${bytes(doneBytes)} of ${bytes(totalBytes)}`,
  checked: ({ intact, changed, unknown }: Verification) => {
    if (changed.length > 0)
      return `${changed.length === 1 ? 'One file is' : `${changed.length} files are`} damaged or changed. Download the model again.`;
    if (unknown === 0) return 'Every file matches its source.';
    return intact === 0
      ? 'Its source publishes no checksums. Loupe stored those of the files as they are now; a later check will notice changes.'
      : `${intact} files match their source; it publishes no checksum for the other ${unknown}.`;
  },

  tested: ({ state, testedAt, device, findings, failure }: SanityCheck) => {
    if (state === 'running') return 'Checking its answers…';
    if (state === 'failed') return `It could not be checked. ${failure?.message ?? ''}`;
    const at = testedAt === null ? '' : `, ${when(testedAt)}`;
    return state === 'sound'
      ? `Works: checked on ${device}${at}.`
      : `Its answers are wrong (checked on ${device}${at}). ${findings.join(' ')} Check its files; ` +
          'if they are intact, update the graphics driver.';
  },
  testedWrong: (name: string) => `${name} gives wrong answers.`,
  testedShow: 'Show',

  // Choosing one that does not fit
  doubt: {
    fits: (name: string) => name,
    slow: (name: string) => `${name} will be slow here`,
    no: (name: string) => `${name} does not fit`,
  } satisfies Record<FileFit['outcome'], (name: string) => string>,
  doubtSizes: (total: string, device: string, room: string, missing: string) =>
    `It needs ${total}, but ${device} has room for ${room}: ${missing} too little.`,
  doubtConfirm: { fits: 'Load it', slow: 'Load anyway, slowly', no: 'Try it anyway' } satisfies Record<FileFit['outcome'], string>,
  doubtDecline: 'Not now',
  copyBegun: 'The quantised copy is being written. It will appear in the list of models.',
  downloadDoubt: (name: string) => `${name} would not run here`,
  downloadAnyway: 'Download it anyway',

  // Folder
  folder: 'Folder for downloads and quantised copies',
  folderHint: (free: string | null) =>
    `${free === null ? '' : `Its disk has ${free} free. `}Models elsewhere stay where they are and can still be used.`,
  folderChoose: 'Choose…',
  folderSet: 'Use this folder',
  folderUsual: 'Use the default folder',

  // To download
  available: 'To download',
  availableHint: (free: string | null) =>
    free === null
      ? 'From Hugging Face or Ollama’s library, only when you ask for it.'
      : `From Hugging Face or Ollama’s library, only when you ask for it. Your disk has ${free} free.`,
  offline: { environment: 'Loupe is set to stay offline.', setting: '“Never connect” is switched on.' },
  offlineStep: {
    environment: 'Unset HF_HUB_OFFLINE and LOUPE_OFFLINE to download.',
    setting: 'To download, switch it off in Settings > Privacy.',
  },
  noDevices: 'Loupe could not find out how well models would run here.',
  outcomes: { fits: 'Fits', slow: 'Slow', no: 'Does not run here' } satisfies Record<Fitting['outcome'], string>,
  form: ({ quantisation, totalBytes }: Fitting) => `${forms[quantisation]} (${bytes(totalBytes)})`,
  diskLacks: (missing: string) =>
    `The disk of the models folder lacks ${missing} for this. Free some space, or choose another folder in Settings > Models.`,
  base: 'Base models, for experiments',
  source: 'From',
  sourceMakers: (repository: string) => `${repository} (Meta; needs an access token)`,
  sourceLibrary: (repository: string) => `From Ollama’s library (${repository.replace('library/', '')}); no access token is needed.`,
  sourceMirror: (repository: string) => `${repository} (an open copy)`,
  download: (size: string) => `Download ${size}`,
  downloadName: (size: string, name: string) => `Download ${size}: ${name}`,
  pause: 'Pause',
  resume: 'Resume',
  again: 'Try again',
  tryNow: 'Try now',
  cancel: 'Cancel',
  cancelTitle: (name: string) => `Cancel the download of ${name}?`,
  cancelWords: (size: string) => `The part already downloaded (${size}) will be deleted. To keep it, pause the download instead.`,
  cancelConfirm: 'Cancel and delete',
  progress: ({ state, doneBytes, totalBytes, bytesPerSecond, trouble }: Download) => {
    if (state === 'queued') return 'Waiting for the previous download to finish';
    const share = totalBytes === 0 ? '' : `${bytes(doneBytes)} of ${bytes(totalBytes)}`;
    if (state === 'paused') return share ? `Paused at ${share}` : 'Paused';
    if (state === 'failed') return share ? `Stopped at ${share}` : 'Stopped before the first file';
    if (trouble) return [share, `Try ${trouble.tries} of ${trouble.mostTries} failed. Loupe keeps trying.`].filter(Boolean).join('. ');
    if (share === '') return 'Getting the list of files…';
    return bytesPerSecond ? `${share}, ${bytes(bytesPerSecond)}/s, ${timeLeft((totalBytes - doneBytes) / bytesPerSecond)}` : share;
  },
  arrived: (name: string) => `${name} was downloaded.`,

  // Access token
  token: 'Access token for Hugging Face',
  tokenHint:
    'Only needed for Meta’s own repositories: accept the licence on the model’s page there, ' +
    'then create a token with read access. Open copies need none.',
  tokenKept: { keychain: 'A token is stored in the system’s keychain.', session: 'A token is kept in memory until Loupe closes.' },
  tokenFound: { environment: 'The token in HF_TOKEN is used.', tools: 'The token of the Hugging Face tools on this computer is used.' },
  tokenOther: 'Use another',
  tokenSet: { keychain: 'Keep it', session: 'Keep it until Loupe closes' },
  tokenForget: 'Forget it',
  tokenSaved: 'The token was saved.',
  tokenGone: 'The token was removed.',

  // Licence
  licenceTitle: (name: string) => name,
  licenceLead: 'These weights are Meta’s. This is a summary; the full texts are binding:',
  licenceMustNot: 'You agree not to use them to',
  licenceEurope: 'In the European Union',
  licenceText: 'Read the licence',
  licencePolicy: 'Read the acceptable use policy',
  licenceEnglish: 'English is the only language that Llama 3.2 officially supports with pictures.',
  licenceAgree: 'I agree',
  licenceDecline: 'Not now',
};
