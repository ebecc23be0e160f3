/**
 * The one union of error codes. The first block mirrors `ErrorCode` in native/src/base/error.h.
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
  'file_unwritable',
  'engine_missing',
  'engine_crashed',
  'engine_busy',
  'protocol',
  'port_unavailable',

  'not_found',
  'store_locked',
  'store_damaged',
  'store_newer',
  'store_full',
  'store_read_only',
  'store_failed',
  'capture_failed',
  'capture_permission',

  'offline',
  'network_failed',
  'hub_gated',
  'hub_missing',
  'hub_invalid',
  'download_damaged',
  'download_locked',
  'disk_full',
  'licence_needed',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface Failure {
  ok: false;
  code: ErrorCode;
  message: string;
  nextStep: string;
}

export class LoupeError extends Error {
  override readonly name = 'LoupeError';
  readonly code: ErrorCode;
  readonly nextStep: string;

  /** Without `nextStep` the code's usual one is taken. */
  constructor(code: ErrorCode, message: string, nextStep?: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.nextStep = nextStep || usualNextStep(code);
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

/** What to do about a failure whose origin gave no better advice. */
export function usualNextStep(code: ErrorCode): string {
  switch (code) {
    case 'no_vulkan_loader':
      return 'Install your graphics driver and the Vulkan loader (Debian, Ubuntu: libvulkan1 and mesa-vulkan-drivers).';
    case 'no_device':
      return 'Run `loupe doctor` to see the devices; install or update the graphics driver if yours is not among them.';
    case 'device_unsuitable':
      return 'Update the graphics driver, or choose another device.';
    case 'device_lost':
      return 'Try again; if it happens again, update the graphics driver.';
    case 'device_out_of_memory':
      return 'Close other programs that use the GPU, shorten the context, or choose a smaller model.';
    case 'host_out_of_memory':
      return 'Close other programs, or choose a smaller model.';
    case 'shader_missing':
      return 'Run the set-up again, or set LOUPE_SHADERS to the folder of compiled shaders.';
    case 'file_missing':
      return 'Check the path, or download the file again.';
    case 'file_truncated':
      return 'The download is incomplete: download this file again.';
    case 'checkpoint_header':
    case 'checkpoint_tensor':
    case 'checkpoint_shape':
    case 'checkpoint_config':
      return 'Download the checkpoint again, with all its files from one place.';
    case 'checkpoint_dtype':
      return 'Use a copy of the model whose weights are BF16, F16 or F32.';
    case 'checkpoint_unsupported':
      return 'Choose a Llama 3.2 Vision or Llama 3 text checkpoint.';
    case 'prompt_invalid':
      return 'Check the question and its pictures.';
    case 'context_full':
      return 'Shorten the conversation, or increase the context length.';
    case 'cancelled':
      return 'You need not do anything.';
    case 'internal':
      return 'This is a bug in Loupe. Please report it with this message.';
    case 'image_missing':
      return 'Check the path of the picture.';
    case 'image_empty':
      return 'Save or download the picture again.';
    case 'image_unreadable':
      return 'Open the picture in an image viewer and save it as PNG or JPEG.';
    case 'image_too_large':
      return 'Crop the picture to the part that matters, or save it at a smaller size.';
    case 'image_several':
      return 'Compose the pictures into one (side by side or stacked), or ask about them one by one.';
    case 'image_unseen':
      return 'Choose a vision model, or ask without a picture.';
    case 'ocr_missing':
      return 'Install Loupe again, or run the set-up again: it installs them.';
    case 'ocr_failed':
      return 'Try again with the part of the picture that matters.';
    case 'document_missing':
      return 'Check the path of the document.';
    case 'document_locked':
      return 'Enter its password. Loupe does not keep it.';
    case 'document_unreadable':
      return 'Get a new copy of the document, or export it as PDF.';
    case 'document_too_large':
      return 'Split the document, or read a part of it.';
    case 'document_failed':
      return 'Try again; if it happens again, print the document to a new PDF.';
    case 'model_missing':
      return 'Name the folder that holds config.json and the .safetensors files, or a GGUF file.';
    case 'tokenizer_missing':
      return 'Copy tokenizer.json from the model’s repository into its folder.';
    case 'tokenizer_invalid':
      return 'Download tokenizer.json again from the model’s repository.';
    case 'template_failed':
      return 'Change the conversation as the message says, or download the chat template again.';
    case 'usage':
      return 'See `loupe --help`.';
    case 'file_unwritable':
      return 'Choose another place to write to.';
    case 'engine_missing':
      return 'Run the set-up to build the engine, or set LOUPE_ADDON to the built .node file.';
    case 'engine_crashed':
      return 'Ask again: the engine restarts by itself. If it happens again, update the graphics driver and run `loupe doctor`.';
    case 'engine_busy':
      return 'Wait for the running answer, or stop it first.';
    case 'protocol':
      return 'Parts of Loupe have different versions. Install it again.';
    case 'port_unavailable':
      return 'Choose another port with --port, or leave --port out: Loupe then picks a free one.';
    case 'not_found':
      return 'It may have been deleted in another window; look in the list.';
    case 'store_locked':
      return 'Close the other Loupe that uses this folder, or choose another folder with --data.';
    case 'store_damaged':
      return 'Restore a backup: Loupe’s window lists them.';
    case 'store_newer':
      return 'Install the newest version of Loupe.';
    case 'store_full':
      return 'Free some space on the disk, or delete conversations, and try again. Nothing that was saved before is lost.';
    case 'store_read_only':
      return 'Make the disk or folder writable, then try again. Until then you can read, search and export your conversations.';
    case 'store_failed':
      return 'Check that the data folder can be written to, then try again.';
    case 'capture_failed':
      return 'Try again; a screenshot from any other program can be pasted instead.';
    case 'capture_permission':
      return 'Allow screen recording for Loupe in the system’s settings, then try again.';
    case 'offline':
      return 'Loupe is set to stay offline: unset HF_HUB_OFFLINE and LOUPE_OFFLINE to download.';
    case 'network_failed':
      return 'Check the connection, then resume: what has arrived is kept.';
    case 'hub_gated':
      return 'Accept the licence on the model’s page and give Loupe your access token, or use an open copy.';
    case 'hub_missing':
      return 'Check the name of the model, or get it from another source.';
    case 'hub_invalid':
      return 'Try again later, or get the model from another source.';
    case 'download_damaged':
      return 'Try again, or get the model from another source.';
    case 'download_locked':
      return 'Wait until the other download ends, or choose another folder.';
    case 'disk_full':
      return 'Free some space or choose another folder, then resume: what has arrived is kept.';
    case 'licence_needed':
      return 'Read the licence and agree to it first.';
    default:
      return code satisfies never;
  }
}
