/** Pictures that are kept: of files, of their pages, and what is made of them. */
import { createHash } from 'node:crypto';
import { partLabel, type Output, type Pages, type Picture, type PictureOrigin, type Region } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { ImageSource, Loose, PictureFacts, PictureWorker, Store } from './ports.ts';

export type PictureBytes = Extract<ImageSource, { bytes: Uint8Array }>;
type Layout = Parameters<PictureWorker['compose']>[1];

export interface Pictures {
  /** A picture that holds no other. The same bytes again are the picture that is kept already. */
  add(source: PictureBytes, origin: PictureOrigin): Promise<Picture>;
  /** Of a file that holds several pictures, adds the default one. */
  addFile(source: PictureBytes, kind: 'paste' | 'drop' | 'file' | 'capture'): Promise<Picture>;
  /** Some pages of the file that a page is of, from a number on. Rejects with `usage` for a file of one picture. */
  pages(hash: string, from: number): Promise<Pages>;
  /** Another page of that file. */
  page(hash: string, number: number): Promise<Output<'pictures.page'>>;
  crop(hash: string, region: Region): Promise<Picture>;
  /** A contact sheet. */
  compose(hashes: string[], layout: Layout, labels: boolean): Promise<Picture>;
  /** The file as it came. */
  original(hash: string): ImageSource;
}

export function createPictures({ store, worker }: { store: Pick<Store, 'pictures'>; worker: PictureWorker }): Pictures {
  async function add(source: PictureBytes, origin: PictureOrigin): Promise<Picture> {
    const hash = createHash('sha256').update(source.bytes).digest('hex');
    const known = store.pictures.find(hash);
    if (known) {
      store.pictures.touch(hash);
      return known;
    }
    return store.pictures.add({ ...source, origin, ...(await worker.inspect(source)) });
  }

  /** The page of a file as a picture of its own, so that nothing else has to know of pages. */
  function addPage(whole: Picture, { part, display, ...facts }: PictureFacts): Promise<Picture> | Picture {
    if (!part || !display) return whole;
    return add(
      { bytes: display, name: `${whole.name.slice(0, 220)}, ${partLabel(part)}` },
      { kind: 'page', of: whole.hash, ...part, ...readingOf(facts) },
    );
  }

  function wholeOf(hash: string): Picture {
    const picture = store.pictures.get(hash);
    return picture.origin.kind === 'page' ? store.pictures.get(picture.origin.of) : picture;
  }

  const original = (hash: string): ImageSource => ({ path: store.pictures.original(hash).path });

  return {
    add,
    async addFile(source, kind) {
      // Known or not: which picture it is of a file that holds several is not known of old ones.
      const facts = await worker.inspect(source);
      const whole = store.pictures.add({ ...source, ...facts, origin: { kind, ...readingOf(facts) } });
      return facts.part ? addPage(whole, facts) : whole;
    },
    async pages(hash, from) {
      const whole = wholeOf(hash);
      const found = await worker.pages(original(whole.hash), from);
      if (!found) throw new LoupeError('usage', `${whole.name} holds one picture.`);
      return found;
    },
    async page(hash, number) {
      const whole = wholeOf(hash);
      return addPage(whole, await worker.inspect(original(whole.hash), number));
    },
    async crop(hash, region) {
      const { name, origin } = store.pictures.get(hash);
      const { ground, cutOff } = origin;
      const bytes = await worker.crop(original(hash), region);
      return add({ bytes, name }, { kind: 'crop', of: hash, region, ...readingOf({ ground, cutOff }) });
    },
    async compose(hashes, layout, labels) {
      const names = hashes.map((hash) => store.pictures.get(hash).name);
      const bytes = await worker.compose(hashes.map(original), layout, labels);
      return add({ bytes, name: names.join(', ').slice(0, 255) }, { kind: 'compose', of: hashes, layout, labels });
    },
    original,
  };
}

/** Of how a picture was read, what is worth keeping with it. */
function readingOf({ ground, cutOff }: Loose<Pick<PictureFacts, 'ground' | 'cutOff'>>): Pick<PictureOrigin, 'ground' | 'cutOff'> {
  return { ...(ground ? { ground } : {}), ...(cutOff ? { cutOff } : {}) };
}
