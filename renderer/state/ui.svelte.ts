import type { FoundWords, Picture } from '../../main/contract.ts';
import type { PagePlace } from '../documents/page-place.ts';

export type DialogName =
  'compose' | 'settings' | 'models' | 'shortcuts' | 'about' | 'capture' | 'library' | 'document' | 'tables' | 'words';

/** Words of an answer that are shown in their picture. */
export interface WordsInPicture {
  picture: Picture;
  /** In the order of the answer; at least one. */
  found: readonly FoundWords[];
  /** Those that are shown first. */
  at: number;
}

/** What of the main window is open. Nothing here is kept. */
export class Ui {
  #dialog = $state.raw<DialogName | null>(null);
  #composed = $state.raw<Picture[]>([]);
  #inspected = $state.raw<Picture | null>(null);
  #place = $state.raw<PagePlace | null>(null);
  /** Where the viewer was opened from. */
  #beforeViewer: 'library' | 'tables' | null = null;
  #words = $state.raw<WordsInPicture | null>(null);
  #section = $state.raw<string | null>(null);
  #extracted = $state.raw<readonly number[] | null>(null);
  #sidebarShown = $state(false);

  /** The one that is open; null where none is. */
  get dialog(): DialogName | null {
    return this.#dialog;
  }

  /** The pictures that the compose dialog begins with. */
  get composed(): Picture[] {
    return this.#composed;
  }

  /** Where the viewer of documents begins; in the library, what was looked at last. */
  get place(): PagePlace | null {
    return this.#place;
  }

  /** The words of an answer that are shown in their picture. */
  get words(): WordsInPicture | null {
    return this.#words;
  }

  /** The part of the settings page to begin at. */
  get section(): string | null {
    return this.#section;
  }

  /** The documents that a new table begins with; null: no new one is made. */
  get extracted(): readonly number[] | null {
    return this.#extracted;
  }

  get panel(): 'inspector' | null {
    return this.#inspected ? 'inspector' : null;
  }

  get inspected(): Picture | null {
    return this.#inspected;
  }

  /** Only narrow windows hide the list. */
  get sidebarShown(): boolean {
    return this.#sidebarShown;
  }

  set sidebarShown(shown: boolean) {
    this.#sidebarShown = shown;
  }

  open(dialog: Exclude<DialogName, 'compose' | 'document' | 'words'>, section: string | null = null): void {
    this.#section = section;
    this.#place = null;
    this.#extracted = null;
    this.#dialog = dialog;
  }

  extract(documents: readonly number[]): void {
    this.#extracted = documents;
    this.#dialog = 'tables';
  }

  compose(pictures: Picture[]): void {
    this.#composed = pictures;
    this.#dialog = 'compose';
  }

  /** Leaving it leads back to where it was called from. */
  view(place: PagePlace): void {
    if (this.#dialog !== 'document') this.#beforeViewer = this.#dialog === 'library' || this.#dialog === 'tables' ? this.#dialog : null;
    this.#place = place;
    this.#dialog = 'document';
  }

  /** Where an answer's next citation leads, or the one before; from the last to the first. */
  stepCitation(by: 1 | -1): void {
    const cited = this.#place?.cited;
    if (!cited) return;
    const { places } = cited;
    const at = (cited.at + by + places.length) % places.length;
    this.view({ ...places[at]!, cited: { places, at } });
  }

  showWords(words: WordsInPicture): void {
    this.#words = words;
    this.#dialog = 'words';
  }

  closeViewer(): void {
    this.#dialog = this.#beforeViewer;
  }

  closeDialog(): void {
    this.#dialog = null;
  }

  inspect(picture: Picture): void {
    this.#inspected = picture;
  }

  closePanel(): void {
    this.#inspected = null;
  }
}
