import { limits, type AskedScope, type Draft, type Input, type Output, type Picture } from '../../main/contract.ts';
import { toRequestFailure, type Client } from '../api/client.ts';
import { RequestFailure } from '../api/transport.ts';
import { readPicture, type PictureKind } from '../pictures/read-picture.ts';
import { strings } from '../strings.ts';
import { forNext, sentScope } from './question-scope.ts';
import { needsCounting, refuseTooLong, tooLong } from './question-room.ts';
import { delayed } from './timing.ts';

const saveDelay = 400;
const measureDelay = 500;

/** Where the question will be asked. */
export interface Place {
  conversationId: number | null;
  /** The message that the question will follow. */
  parentId: number | null;
}

/** The question that is being written, kept as a draft with its conversation. */
export class Composer {
  readonly #client: Client;
  /** Asked when needed: the answer changes with the conversation. */
  readonly #place: () => Place;
  #draftOf: number | null = null;
  /** What stood here when another conversation was asked for; null while none is on its way. */
  #left: string | null = null;
  #text = $state('');
  #pictures = $state.raw<readonly Picture[]>([]);
  /** Names of the pictures that are being read. */
  #adding = $state.raw<readonly string[]>([]);
  #usage = $state.raw<Output<'chat.measure'>>(null);
  #failure = $state.raw<RequestFailure | null>(null);
  #sending = $state(false);
  #paged = $state.raw<Picture | null>(null);
  #scope = $state.raw<AskedScope | null>(null);
  /** Settles when every picture that was added so far is read, or is known not to be. */
  #reads: Promise<void> = Promise.resolve();
  #input: HTMLTextAreaElement | undefined;
  #focusWanted = false;

  readonly #save = delayed(() => void this.#saveDraft(), saveDelay);
  readonly #measureSoon = delayed(() => void this.#measure(), measureDelay);

  constructor(client: Client, place: () => Place) {
    this.#client = client;
    this.#place = place;
  }

  get text(): string {
    return this.#text;
  }

  set text(text: string) {
    this.#text = text.slice(0, limits.message);
    if (this.#left === null) this.#changed();
    if (text.length > limits.message) this.wasCut(text.length - limits.message);
  }

  /** So many characters had no room; `failure` says so. */
  wasCut(left: number): void {
    this.#failure = tooLong(left);
  }

  get pictures(): readonly Picture[] {
    return this.#pictures;
  }

  get adding(): readonly string[] {
    return this.#adding;
  }

  /** How full the context would be; null while it is not known. */
  get usage(): Output<'chat.measure'> {
    return this.#usage;
  }

  get failure(): RequestFailure | null {
    return this.#failure;
  }

  /** The attached page whose fellows are offered; null: none. */
  get paged(): Picture | null {
    return this.#paged;
  }

  /** The documents that the question is about; null: none. It stays for the next question. */
  get scope(): AskedScope | null {
    return this.#scope;
  }

  set scope(scope: AskedScope | null) {
    this.#scope = scope;
    this.#failure = null;
    this.#save();
  }

  get isEmpty(): boolean {
    return this.#text === '' && this.#pictures.length === 0 && this.#adding.length === 0;
  }

  get canSend(): boolean {
    return this.#text.trim() !== '' && !this.#sending;
  }

  /** Another conversation was asked for: what is typed until it comes is for its question. */
  leave(): void {
    this.#save.flush();
    this.#left ??= this.#text;
  }

  /** It did not come. */
  stay(): void {
    if (this.#left === null) return;
    const changed = this.#left !== this.#text;
    this.#left = null;
    if (changed) this.#changed();
  }

  /** Begins with what was left in this conversation's composer; where that says nothing of it, about `scope`. */
  load(conversationId: number | null, draft: Draft, scope: AskedScope | null = null): void {
    const typed = this.#left !== null && this.#text.startsWith(this.#left) ? this.#text.slice(this.#left.length) : '';
    if (typed === '') this.stay();
    this.#left = null;
    this.#save.flush();
    this.#draftOf = conversationId;
    this.#text = joined(draft.text, typed);
    this.#pictures = draft.pictures;
    this.#adding = [];
    this.#paged = null;
    this.#scope = draft.scope === undefined ? scope : draft.scope;
    this.#failure = null;
    this.#usage = null;
    this.#measureSoon();
    if (typed !== '') this.#save();
  }

  /** Reads pictures from files; those that cannot be read are named in `failure`. */
  addFiles(files: readonly File[], kind: PictureKind): Promise<void> {
    const draftOf = this.#draftOf;
    const room = limits.picturesPerMessage - this.#pictures.length - this.#adding.length;
    const taken = files.slice(0, Math.max(0, room));
    this.#failure = files.length > taken.length ? tooMany() : null;
    this.#adding = [...this.#adding, ...taken.map((file) => file.name)];
    // One after the other: the last one chosen is the last one attached, which the model looks at.
    this.#reads = this.#reads.then(() => this.#readFiles(taken, kind, draftOf));
    return this.#reads;
  }

  async #readFiles(files: readonly File[], kind: PictureKind, draftOf: number | null): Promise<void> {
    const failures: RequestFailure[] = [];
    for (const file of files) {
      try {
        const picture = await readPicture(this.#client, file, kind, draftOf);
        if (this.#draftOf === draftOf) this.take(picture);
      } catch (error) {
        failures.push(toRequestFailure(error));
      } finally {
        if (this.#draftOf === draftOf) this.#adding = withoutFirst(this.#adding, file.name);
      }
    }
    if (this.#draftOf === draftOf && failures.length > 0) this.#failure = together(failures);
  }

  /** A picture that was just read. Which page of a document is meant cannot be guessed, so the others are offered; which frame can. */
  take(picture: Picture): void {
    this.add(picture);
    const { origin } = picture;
    if (origin.kind === 'page' && origin.unit === 'page' && this.#pictures.includes(picture)) this.#paged = picture;
  }

  /** Offers the other pages of the file that an attached one is of; null: no more. */
  showPages(picture: Picture | null): void {
    this.#paged = picture;
  }

  /** To the end, where the model looks; one that is there already moves. */
  add(picture: Picture): void {
    const others = this.#pictures.filter(({ hash }) => hash !== picture.hash);
    if (others.length >= limits.picturesPerMessage) {
      this.#failure = tooMany();
      return;
    }
    this.#pictures = [...others, picture];
    this.#changed();
  }

  remove(hash: string): void {
    this.#pictures = this.#pictures.filter((picture) => picture.hash !== hash);
    if (this.#paged?.hash === hash) this.#paged = null;
    this.#changed();
  }

  /** Puts a picture in the place of another, as a part in that of its whole; to the end where the other is not attached. */
  replace(hash: string, picture: Picture): void {
    if (!this.#pictures.some((attached) => attached.hash === hash)) {
      this.add(picture);
      return;
    }
    // What comes may stand here already: it is not attached twice.
    const others = this.#pictures.filter((attached) => attached.hash === hash || attached.hash !== picture.hash);
    this.#pictures = others.map((attached) => (attached.hash === hash ? picture : attached));
    if (this.#paged?.hash === hash) this.#paged = picture.origin.kind === 'page' ? picture : null;
    this.#changed();
  }

  /** Puts the composed picture in place of its parts. */
  replaceAll(picture: Picture): void {
    this.#pictures = [picture];
    this.#paged = null;
    this.#changed();
  }

  /**
   * Asks once the attached pictures are read, and resolves with what the app made of it. Null when
   * that failed: the question is back then, and `failure` says why.
   */
  send(): Promise<Output<'chat.send'> | null> {
    return this.#sendBy((question) => this.#client.request('chat.send', { ...question, scope: sentScope(this.#scope) }));
  }

  /** As `send`, to several models; not about documents. */
  compare(models: string[]): Promise<Output<'chat.compare'> | null> {
    return this.#sendBy((question) => this.#client.request('chat.compare', { ...question, models }));
  }

  async #sendBy<Result>(
    request: (question: Pick<Input<'chat.send'>, 'conversationId' | 'parentId' | 'text' | 'pictures'>) => Promise<Result>,
  ): Promise<Result | null> {
    if (!this.canSend) return null;
    const draftOf = this.#draftOf;
    this.#sending = true;
    if (this.#adding.length > 0) {
      await this.#reads;
      // Another conversation is shown by now, or a picture is missing: the reader decides.
      if (this.#draftOf !== draftOf || this.#failure) {
        this.#sending = false;
        return null;
      }
    }
    this.#failure = null;
    const question = this.#question();
    const text = this.#text;
    const pictures = this.#pictures;
    this.#text = '';
    this.#pictures = [];
    this.#paged = null;
    try {
      if (needsCounting(text.length, this.#usage?.contextLength)) await refuseTooLong(this.#client, question);
      const { conversationId, parentId } = question;
      const sent = await request({ conversationId, parentId, text, pictures: pictures.map(({ hash }) => hash) });
      if (this.#scope) this.#scope = forNext(this.#scope);
      if (this.#draftOf === draftOf) void this.#saveDraft();
      else void this.#clearDraft(draftOf);
      return sent;
    } catch (error) {
      if (this.#draftOf === draftOf) {
        // What was typed meanwhile comes after it.
        this.#text = joined(text, this.#text);
        this.#pictures = [...new Map([...pictures, ...this.#pictures].map((picture) => [picture.hash, picture])).values()];
        this.#failure = toRequestFailure(error);
        this.#save();
      }
      return null;
    } finally {
      this.#sending = false;
    }
  }

  /** What stands here belongs to this conversation from now on: it has just begun. */
  moveTo(conversationId: number): void {
    this.#draftOf = conversationId;
    if (!this.isEmpty) this.#save();
  }

  dismissFailure(): void {
    this.#failure = null;
  }

  /** Counts again after something other than the question changed. */
  measure(): void {
    this.#measureSoon();
  }

  /** Stores what waits to be stored, as before the window closes. */
  flush(): void {
    this.#save.flush();
  }

  /** Registers the text field that `focus` goes to. */
  readonly attachInput = (input: HTMLTextAreaElement): (() => void) => {
    this.#input = input;
    if (this.#focusWanted) this.focus();
    return () => {
      this.#input = undefined;
    };
  };

  /** At once, or as soon as the field is there. */
  focus(): void {
    this.#focusWanted = this.#input === undefined;
    this.#input?.focus();
  }

  #changed(): void {
    this.#failure = null;
    this.#save();
    this.#measureSoon();
  }

  async #saveDraft(): Promise<void> {
    try {
      await this.#client.request('conversations.saveDraft', {
        id: this.#draftOf,
        text: this.#text,
        pictures: this.#pictures.map(({ hash }) => hash),
        scope: sentScope(this.#scope),
      });
    } catch {
      // The text is still on the screen, and the next change tries again.
    }
  }

  /** Of a conversation that was left while its question was on its way. */
  async #clearDraft(id: number | null): Promise<void> {
    await this.#client.request('conversations.saveDraft', { id, text: '', pictures: [] }).catch(() => null);
  }

  #question(): Input<'chat.measure'> {
    return { ...this.#place(), text: this.#text, pictures: this.#pictures.length };
  }

  async #measure(): Promise<void> {
    const draftOf = this.#draftOf;
    try {
      const usage = await this.#client.request('chat.measure', this.#question());
      if (this.#draftOf === draftOf) this.#usage = usage;
    } catch {
      // A meter without a reading says nothing.
      this.#usage = null;
    }
  }
}

function joined(before: string, after: string): string {
  return [before, after].filter((part) => part !== '').join('\n');
}

function tooMany(): RequestFailure {
  return new RequestFailure({
    code: 'usage',
    message: strings.chat.tooManyPictures(limits.picturesPerMessage),
    nextStep: strings.chat.tooManyPicturesStep,
  });
}

/** All that could not be read, named; the advice is that of the first. */
function together(failures: RequestFailure[]): RequestFailure {
  const [first] = failures;
  return failures.length === 1
    ? first!
    : new RequestFailure({ code: first!.code, message: failures.map(({ message }) => message).join(' '), nextStep: first!.nextStep });
}

function withoutFirst(names: readonly string[], name: string): readonly string[] {
  const at = names.indexOf(name);
  return at < 0 ? names : names.toSpliced(at, 1);
}
