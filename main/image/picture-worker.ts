/** Entry of the process that decodes pictures: whatever a hostile file breaks here is replaced. */
import './in-memory.ts';
import { confineProcess } from '../process/confine.ts';
import { parentChannel } from '../process/channel.ts';
import { holdLifeline } from '../process/lifeline.ts';
import { toFailure } from '../errors.ts';
import type { PictureRequest, PictureReply } from './picture-client.ts';
import { createDecodedPictures } from './decoded.ts';
import { barePicture, composePictures, cropPicture, inspectPicture, previewPages } from './picture-operations.ts';

const lifeline = holdLifeline();
const unconfined = confineProcess();
const channel = parentChannel({ confined: true });
const pictures = createDecodedPictures();

async function answer(request: PictureRequest): Promise<unknown> {
  switch (request.kind) {
    case 'inspect':
      return inspectPicture(request.source, request.page, pictures);
    case 'pages':
      return previewPages(request.source, request.from);
    case 'crop':
      return cropPicture(request.source, request.region, pictures);
    case 'bare':
      return barePicture(request.source, pictures);
    case 'prepare':
      return pictures.tiles(request.source, request.vision);
    case 'compose':
      return composePictures(request.sources, request.layout, request.labels, pictures);
    case 'confinement':
      return unconfined;
    default:
      return request satisfies never;
  }
}

async function serve(request: PictureRequest): Promise<void> {
  const { id } = request;
  const reply: PictureReply = await answer(request).then(
    (result) => ({ id, ok: true, result }),
    (error: unknown) => ({ id, ok: false, failure: toFailure(error) }),
  );
  channel.send(reply);
}

// Ctrl-C reaches the whole process group; the parent decides what it means.
process.on('SIGINT', () => {});
channel.onClose(() => process.kill(process.pid, 'SIGKILL'));
channel.onMessage((message) => void serve(message as PictureRequest));
void lifeline.started();
