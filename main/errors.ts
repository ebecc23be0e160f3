/**
 * The one union of error codes. Its first block is `ErrorCode` of native/src/base/error.h, in the same order.
 *
 * A failure crosses a boundary as `Failure`: what happened and why, then what the reader can do.
 */
export const errorCodes = [
  'no_vulkan_loader',
  'no_device',
  'device_unsuitable',
  'device_lost',
  'device_out_of_memory',
  'host_out_of_memory',
  'shader_missing',
  'file_missing',
  'file_unwritable',
  'disk_full',
  'file_truncated',
  'checkpoint_header',
  'checkpoint_dtype',
  'checkpoint_tensor',
  'checkpoint_shape',
  'checkpoint_config',
  'checkpoint_unsupported',
  'prompt_invalid',
  'context_full',
  'cancelled',
  'internal',

  'image_missing',
  'image_empty',
  'image_unreadable',
  'image_too_large',
  'image_several',
  'image_unseen',
  'ocr_missing',
  'ocr_failed',
  'document_missing',
  'document_locked',
  'document_unreadable',
  'document_too_large',
  'document_failed',
  'model_missing',
  'tokenizer_missing',
  'tokenizer_invalid',
  'template_failed',
  'usage',
  'engine_missing',
  'engine_crashed',
  'engine_busy',
  'protocol',
  'port_unavailable',

  'request_invalid',
  'request_too_large',
  'request_refused',
  'key_wrong',
  'queue_full',

  'not_found',
  'store_locked',
  'store_damaged',
  'store_newer',
  'store_full',
  'store_read_only',
  'store_failed',
  'vault_locked',
  'passphrase_wrong',
  'archive_unreadable',
  'archive_newer',
  'capture_failed',
  'capture_permission',

  'offline',
  'network_failed',
  'network_refused',
  'server_address',
  'server_unencrypted',
  'server_unreachable',
  'server_refused',
  'server_failed',
  'documents_stay',
  'hub_gated',
  'hub_missing',
  'hub_invalid',
  'download_damaged',
  'download_locked',
  'licence_needed',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface Failure {
  ok: false;
  code: ErrorCode;
  message: string;
  nextStep: string;
}

const wholeCheckpoint = 'Download the checkpoint again, with all its files from one place.';

/** What to do about a failure whose origin gave no better advice. */
export const usualNextSteps: Record<ErrorCode, string> = {
  no_vulkan_loader: 'Install your graphics driver and the Vulkan loader (Debian, Ubuntu: libvulkan1 and mesa-vulkan-drivers).',
  no_device: 'Run `loupe doctor` to see the devices; install or update the graphics driver if yours is not among them.',
  device_unsuitable: 'Update the graphics driver, or choose another device.',
  device_lost: 'Try again; if it happens again, update the graphics driver.',
  device_out_of_memory: 'Close other programs that use the GPU, shorten the context, or choose a smaller model.',
  host_out_of_memory: 'Close other programs, or choose a smaller model.',
  shader_missing: 'Run the set-up again, or set LOUPE_SHADERS to the folder of compiled shaders.',
  file_missing: 'Check the path, or download the file again.',
  file_truncated: 'The download is incomplete: download this file again.',
  checkpoint_header: wholeCheckpoint,
  checkpoint_tensor: wholeCheckpoint,
  checkpoint_shape: wholeCheckpoint,
  checkpoint_config: wholeCheckpoint,
  checkpoint_dtype: 'Use a copy of the model whose weights are BF16, F16 or F32.',
  checkpoint_unsupported: 'Choose a Llama 3.2 Vision or Llama 3 text checkpoint.',
  prompt_invalid: 'Check the question and its pictures.',
  context_full: 'Shorten the conversation, or increase the context length.',
  cancelled: 'You need not do anything.',
  internal: 'This is a bug in Loupe. Please report it with this message.',
  image_missing: 'Check the path of the picture.',
  image_empty: 'Save or download the picture again.',
  image_unreadable: 'Open the picture in an image viewer and save it as PNG or JPEG.',
  image_too_large: 'Crop the picture to the part that matters, or save it at a smaller size.',
  image_several: 'Compose the pictures into one (side by side or stacked), or ask about them one by one.',
  image_unseen: 'Choose a vision model, or ask without a picture.',
  ocr_missing: 'Install Loupe again, or run the set-up again: it installs them.',
  ocr_failed: 'Try again with the part of the picture that matters.',
  document_missing: 'Check the path of the document.',
  document_locked: 'Enter its password. Loupe does not keep it.',
  document_unreadable: 'Get a new copy of the document, or export it as PDF.',
  document_too_large: 'Split the document, or read a part of it.',
  document_failed: 'Try again; if it happens again, print the document to a new PDF.',
  model_missing: 'Name the folder that holds config.json and the .safetensors files, or a GGUF file.',
  tokenizer_missing: 'Copy tokenizer.json from the model’s repository into its folder.',
  tokenizer_invalid: 'Download tokenizer.json again from the model’s repository.',
  template_failed: 'Change the conversation as the message says, or download the chat template again.',
  usage: 'See `loupe --help`.',
  file_unwritable: 'Choose another place to write to.',
  engine_missing: 'Run the set-up to build the engine, or set LOUPE_ADDON to the built .node file.',
  engine_crashed: 'Ask again: the engine restarts by itself. If it happens again, update the graphics driver and run `loupe doctor`.',
  engine_busy: 'Wait for the running answer, or stop it first.',
  protocol: 'Parts of Loupe have different versions. Install it again.',
  port_unavailable: 'Choose another port with --port, or leave --port out: Loupe then picks a free one.',
  request_invalid: 'Change what the message names; docs/api.md lists what Loupe takes.',
  request_too_large: 'Send less at once: smaller pictures, fewer of them, or less text.',
  request_refused: 'Call Loupe from a program on this computer, at the address that it printed.',
  key_wrong: 'Send the key that Loupe printed, as "Authorization: Bearer KEY" or as the first part of the path.',
  queue_full: 'Try again in a moment.',
  not_found: 'It may have been deleted in another window; look in the list.',
  store_locked: 'Close the other Loupe that uses this folder, or choose another folder with --data.',
  store_damaged: 'Restore a backup: Loupe’s window lists them.',
  store_newer: 'Install the newest version of Loupe.',
  store_full: 'Free some space on the disk, or delete conversations, and try again. Nothing that was saved before is lost.',
  store_read_only: 'Make the disk or folder writable, then try again. Until then you can read, search and export your conversations.',
  store_failed: 'Check that the data folder can be written to, then try again.',
  vault_locked: 'Enter your passphrase in Loupe’s window.',
  passphrase_wrong: 'Enter your passphrase, or your recovery code.',
  archive_unreadable: 'Export it again with Loupe, or get a new copy of the file. Nothing here was changed.',
  archive_newer: 'Install the newest version of Loupe, then import it again. Nothing here was changed.',
  capture_failed: 'Try again; a screenshot from any other program can be pasted instead.',
  capture_permission: 'Allow screen recording for Loupe in the system’s settings, then try again.',
  offline: 'Loupe is set to stay offline: unset HF_HUB_OFFLINE and LOUPE_OFFLINE to download.',
  network_failed: 'Check the connection, then try again: what has arrived is kept.',
  network_refused: 'Ask whoever runs this network, then try again: what has arrived is kept.',
  server_address: 'Enter an address as in http://127.0.0.1:8080/v1 or https://example.org/v1.',
  server_unencrypted: 'Use an https:// address, or confirm that you trust the network between here and there.',
  server_unreachable: 'Check that the server runs and that its address is right, then try again. Your question is kept.',
  server_refused: 'Check its address, key and model in Settings > Servers, then try again. Your question is kept.',
  server_failed: 'Try again, or choose another model. Your question is kept.',
  documents_stay: 'Choose a model on this computer, or allow this server to get pages of documents in Settings > Servers.',
  hub_gated: 'Accept the licence on the model’s page and give Loupe your access token, or use an open copy.',
  hub_missing: 'Check the name of the model, or get it from another source.',
  hub_invalid: 'Try again later, or get the model from another source.',
  download_damaged: 'Try again, or get the model from another source.',
  download_locked: 'Wait until the other download ends, or choose another folder.',
  disk_full: 'Free some space or choose another folder, then resume: what has arrived is kept.',
  licence_needed: 'Read the licence and agree to it first.',
};

export class LoupeError extends Error {
  override readonly name = 'LoupeError';
  readonly code: ErrorCode;
  readonly nextStep: string;

  /** Without `nextStep` the code's usual one is taken. */
  constructor(code: ErrorCode, message: string, nextStep?: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.nextStep = nextStep || usualNextSteps[code];
  }

  toFailure(): Failure {
    return { ok: false, code: this.code, message: this.message, nextStep: this.nextStep };
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return errorCodes.includes(value as ErrorCode);
}

/** Anything thrown, in our words. Native errors carry `code` and `nextStep` already. */
export function toLoupeError(thrown: unknown): LoupeError {
  if (thrown instanceof LoupeError) return thrown;
  if (!(thrown instanceof Error)) return new LoupeError('internal', String(thrown));
  const { code, nextStep } = thrown as Error & { code?: unknown; nextStep?: unknown };
  const step = typeof nextStep === 'string' ? nextStep : undefined;
  return isErrorCode(code)
    ? new LoupeError(code, thrown.message, step, { cause: thrown })
    : new LoupeError('internal', thrown.message, undefined, { cause: thrown });
}

export function toFailure(thrown: unknown): Failure {
  return toLoupeError(thrown).toFailure();
}

export function fromFailure(failure: Failure): LoupeError {
  return new LoupeError(failure.code, failure.message, failure.nextStep);
}
