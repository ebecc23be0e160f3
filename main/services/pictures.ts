/** Pictures that are kept: of files, of their pages, and what is made of them. */
import { createHash } from 'node:crypto';
import { partLabel, type Output, type Pages, type Picture, type PictureOrigin, type Region } from '../contract.ts';
import { LoupeError } from '../errors.ts';
import type { ImageSource, Loose, PictureFacts, PictureStore, PictureWorker, Store, StoredFile } from './ports.ts';

export type PictureBytes = Extract<ImageSource, { bytes: Uint8Array }>;
type Layout = Parameters<PictureWorker['compose']>[1];

/** `madeFor`: the conversation that a picture is for. Absent or null: one that is kept. */
export interface Pictures {
  /** A picture that holds no other. The same bytes again are the picture that is kept already. */
  add(source: PictureBytes, origin: PictureOrigin, madeFor?: MadeFor): Promise<Picture>;
  /** Of a file that holds several pictures, adds the default one. */
  addFile(source: PictureBytes, kind: 'paste' | 'drop' | 'file' | 'capture', madeFor?: MadeFor): Promise<Picture>;
  /** Some pages of the file that a page is of, from a number on. Rejects with `usage` for a file of one picture. */
  pages(hash: string, from: number): Promise<Pages>;
  /** Another page of that file. */
  page(hash: string, number: number, madeFor?: MadeFor): Promise<Output<'pictures.page'>>;
  crop(hash: string, region: Region, madeFor?: MadeFor): Promise<Picture>;
  /** A contact sheet. */
  compose(hashes: string[], layout: Layout, labels: boolean, madeFor?: MadeFor): Promise<Picture>;
  /** The file as it came. */
  original(hash: string): ImageSource;
}

type MadeFor = number | null | undefined;

export interface PicturesOptions {
  store: Pick<Store, 'pictures' | 'picturesOf'>;
  worker: PictureWorker;
}

export function createPictures({ store, worker }: PicturesOptions): Pictures {
  const placeFor = (madeFor: MadeFor): PictureStore => store.picturesOf(madeFor ?? null);

  async function add(source: PictureBytes, origin: PictureOrigin, madeFor?: MadeFor): Promise<Picture> {
    const place = placeFor(madeFor);
    const hash = createHash('sha256').update(source.bytes).digest('hex');
    const known = place.find(hash);
    if (known) {
      place.touch(hash);
      return known;
    }
    const facts = await worker.inspect(source);
    // A private conversation may have been closed meanwhile.
    return placeFor(madeFor).add({ ...source, origin, ...facts });
  }

  /** The page of a file as a picture of its own, so that nothing else has to know of pages. */
  function addPage(whole: Picture, { part, display, ...facts }: PictureFacts, madeFor: MadeFor): Promise<Picture> | Picture {
    if (!part || !display) return whole;
    return add(
      { bytes: display, name: `${whole.name.slice(0, 220)}, ${partLabel(part)}` },
      { kind: 'page', of: whole.hash, ...part, ...readingOf(facts) },
      madeFor,
    );
  }

  function wholeOf(hash: string): Picture {
    const picture = store.pictures.get(hash);
    return picture.origin.kind === 'page' ? store.pictures.get(picture.origin.of) : picture;
  }

  const original = (hash: string): ImageSource => imageOf(store.pictures.original(hash), () => store.pictures.get(hash).name);

  return {
    add,
    async addFile(source, kind, madeFor) {
      // Known or not: which picture it is of a file that holds several is not known of old ones.
      const facts = await worker.inspect(source);
      const whole = placeFor(madeFor).add({ ...source, ...facts, origin: { kind, ...readingOf(facts) } });
      return facts.part ? addPage(whole, facts, madeFor) : whole;
    },
    async pages(hash, from) {
      const whole = wholeOf(hash);
      const found = await worker.pages(original(whole.hash), from);
      if (!found) throw new LoupeError('usage', `${whole.name} holds one picture.`);
      return found;
    },
    async page(hash, number, madeFor) {
      const whole = wholeOf(hash);
      return addPage(whole, await worker.inspect(original(whole.hash), number), madeFor);
    },
    async crop(hash, region, madeFor) {
      const { name, origin } = store.pictures.get(hash);
      const { ground, cutOff } = origin;
      const bytes = await worker.crop(original(hash), region);
      return add({ bytes, name }, { kind: 'crop', of: hash, region, ...readingOf({ ground, cutOff }) }, madeFor);
    },
    async compose(hashes, layout, labels, madeFor) {
      const names = hashes.map((hash) => store.pictures.get(hash).name);
      const bytes = await worker.compose(hashes.map(original), layout, labels);
      return add({ bytes, name: names.join(', ').slice(0, 255) }, { kind: 'compose', of: hashes, layout, labels }, madeFor);
    },
    original,
  };
}

/** What is in memory goes by its bytes, and by the name that messages use. */
export function imageOf(file: StoredFile, name: () => string): ImageSource {
  return 'path' in file ? { path: file.path } : { bytes: file.bytes, name: name() };
}

/** Of how a picture was read, what is worth keeping with it. */
function readingOf({ ground, cutOff }: Loose<Pick<PictureFacts, 'ground' | 'cutOff'>>): Pick<PictureOrigin, 'ground' | 'cutOff'> {
  return { ...(ground ? { ground } : {}), ...(cutOff ? { cutOff } : {}) };
}
