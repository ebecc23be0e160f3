import { limits, mostDocumentBytes, type OpenedFile } from '../../main/contract.ts';
import type { Client } from '../api/client.ts';
import { RequestFailure } from '../api/transport.ts';
import { hasPdf, mayBeDocument } from '../documents/dropped-files.ts';
import { strings } from '../strings.ts';
import type { Toasts } from './toasts.svelte.ts';

/** Files that were opened with Loupe from outside, as if a person had chosen them here. A notice says what is wrong with the others. */
export async function takeOpened(client: Client, toasts: Toasts): Promise<File[]> {
  const { files, leftOut } = await client.request('windows.opened', {});
  const taken: File[] = [];
  for (const file of files) {
    try {
      taken.push(await read(client, file));
    } catch (error) {
      toasts.failure(error);
    }
  }
  if (leftOut > 0) toasts.show({ tone: 'danger', message: strings.chat.openedLeftOut(leftOut), nextStep: strings.chat.openedLeftOutStep });
  return taken;
}

async function read(client: Client, { id, name, bytes, failure }: OpenedFile): Promise<File> {
  if (failure) throw new RequestFailure(failure);
  const empty = new File([], name);
  refuse(empty, bytes);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for (let at = 0; at < bytes;) {
    const piece = await client.request('windows.openedPiece', { id: id!, from: at });
    // It was cut off meanwhile.
    if (piece.length === 0) break;
    pieces.push(piece as Uint8Array<ArrayBuffer>);
    at += piece.length;
  }
  return new File(pieces, name);
}

/** Before its first byte is read. */
function refuse(file: File, bytes: number): void {
  const { documents, chat } = strings;
  if (!mayBeDocument(file))
    throw new RequestFailure({
      code: 'document_unreadable',
      message: documents.notADocument(file.name),
      nextStep: documents.notADocumentStep,
    });
  const isPdf = hasPdf([file]);
  if (isPdf && bytes > mostDocumentBytes) {
    const message = documents.tooLarge(file.name, bytes, mostDocumentBytes);
    throw new RequestFailure({ code: 'document_too_large', message, nextStep: documents.tooLargeStep });
  }
  if (!isPdf && bytes > limits.pictureBytes) {
    const message = chat.pictureTooLarge(file.name, limits.pictureBytes);
    throw new RequestFailure({ code: 'image_too_large', message, nextStep: chat.pictureTooLargeStep });
  }
}
