/** Pictures, the text in them, taking them of the screen, and pinning them to it. */
import type { EngineService } from '../services/engine-service.ts';
import { publishedVision, viewOf } from '../services/image-view.ts';
import type { PictureText } from '../services/picture-text.ts';
import type { Pictures } from '../services/pictures.ts';
import type { CaptureHost } from '../services/ports.ts';
import { findWords } from '../services/second-reader/find-words.ts';
import { wordBoxes } from '../services/word-boxes.ts';
import { done, type AreaHandlers } from './area.ts';

export interface PictureHandlersOptions {
  pictures: Pictures;
  text: PictureText;
  engine: Pick<EngineService, 'chosen'>;
}

export function pictureHandlers({ pictures, text, engine }: PictureHandlersOptions): AreaHandlers<'pictures'> {
  return {
    'pictures.add': ({ bytes, name, kind, conversationId }) => pictures.addFile({ bytes, name }, kind, conversationId),
    'pictures.pages': ({ hash, from }) => pictures.pages(hash, from),
    'pictures.page': ({ hash, number, conversationId }) => pictures.page(hash, number, conversationId),
    'pictures.crop': ({ hash, region, conversationId }) => pictures.crop(hash, region, conversationId),
    'pictures.compose': ({ hashes, layout, labels, conversationId }) => pictures.compose(hashes, layout, labels, conversationId),
    'pictures.text': ({ hash }) => text.read(hash, { source: pictures.original(hash) }),
    'pictures.find': ({ hash, answer }) => {
      const lines = text.known(hash);
      return lines && findWords(answer, wordBoxes(lines));
    },
    'pictures.stopText': done(({ hash }) => text.stop(hash)),
    'pictures.view': (size) => viewOf(size, engine.chosen()?.vision ?? publishedVision),
  };
}

export function captureHandlers(capture: CaptureHost): AreaHandlers<'capture' | 'pins'> {
  const { pins } = capture;
  return {
    'capture.state': () => capture.state(),
    'capture.start': done(({ mode, conversationId }) => capture.start(mode, conversationId)),
    'capture.display': ({ displayId }) => capture.display(displayId),
    'capture.hold': done(({ displayId, holds }) => capture.hold(displayId, holds)),
    'capture.drawn': done(({ displayId }) => capture.drawn(displayId)),
    'capture.finish': done(({ displayId, region, marks }) => capture.finish(displayId, region, marks)),
    'capture.text': done(({ displayId, region, marks }) => capture.text(displayId, region, marks)),
    'capture.save': done(({ displayId, region, marks }) => capture.save(displayId, region, marks)),
    'capture.pin': done(({ displayId, region, marks }) => capture.pin(displayId, region, marks)),
    'capture.copying': async () => capture.copying(),
    'capture.stopCopying': done(() => capture.stopCopying()),
    'capture.cancel': done(() => capture.cancel()),
    'capture.current': () => capture.current(),
    'capture.testHotkey': async ({ mode }) => ({ pressed: await capture.testHotkey(mode) }),
    'capture.pauseHotkey': done(({ paused }) => capture.pauseHotkey(paused)),
    'pins.picture': ({ pinId }) => pins.picture(pinId),
    'pins.move': done(({ pinId, by }) => pins.move(pinId, by)),
    'pins.resize': done(({ pinId, to }) => pins.resize(pinId, to)),
    'pins.fade': done(({ pinId, to }) => pins.fade(pinId, to)),
    'pins.next': done(({ pinId }) => pins.next(pinId)),
    'pins.close': done(({ pinId }) => pins.close(pinId)),
  };
}
