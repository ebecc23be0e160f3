import { limits, type Input, type Picture } from '../../main/contract.ts';
import type { Client } from '../api/client.ts';
import { RequestFailure } from '../api/transport.ts';
import { strings } from '../strings.ts';

export type PictureKind = Input<'pictures.add'>['kind'];

/** What browsers call a picture on the clipboard that is not a file. */
const browsersName = 'image.png';

/** Hands a file to the app, for a conversation (null: one that is kept). Rejects with `RequestFailure`. */
export async function readPicture(client: Client, file: File, kind: PictureKind, conversationId: number | null = null): Promise<Picture> {
  if (file.size > limits.pictureBytes) {
    throw new RequestFailure({
      code: 'image_too_large',
      message: strings.chat.pictureTooLarge(file.name, limits.pictureBytes),
      nextStep: strings.chat.pictureTooLargeStep,
    });
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  const name = kind === 'paste' && file.name === browsersName ? strings.chat.pastedPicture : file.name;
  return client.request('pictures.add', { bytes, name: name.slice(0, 255), kind, conversationId });
}
