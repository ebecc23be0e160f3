/**
 * What a paste or a drop brings: one rule for every place that takes pictures. Programs put several forms of
 * one thing on a clipboard, and what the person meant has to be read from which forms there are.
 */

interface NamedFile {
  name: string;
  /** Media type, '' where the system does not know it. */
  type: string;
}

export interface Carried<F extends NamedFile = File> {
  files: readonly F[];
  text: string;
  html: string;
  /** text/uri-list. */
  uris: string;
}

export type Taken<F extends NamedFile = File> =
  /** `others`: names of files that are not pictures. */
  | { kind: 'pictures'; files: F[]; others: string[] }
  /** Pictures that are their own addresses (data:). */
  | { kind: 'data'; addresses: string[] }
  /** A picture on another computer, which nobody fetches. */
  | { kind: 'address'; address: string }
  /** A file that was named and not handed over. */
  | { kind: 'named'; name: string }
  /** Text: the field's own business. */
  | { kind: 'text' }
  | { kind: 'nothing' };

/** No address and no list of names is longer: such a text is a text, and is not looked through while somebody waits. */
const longestMention = 1_000_000;

export function decideTransfer<F extends NamedFile>(carried: Carried<F>, how: 'paste' | 'drop'): Taken<F> {
  const { files, text } = carried;
  if (text.length > longestMention && !isDataAddress(text.slice(0, 100).trimStart())) {
    if (files.length === 0 || how === 'paste') return { kind: 'text' };
  }
  if (files.length > 0) {
    // A spreadsheet brings its cells as text, as a table and as a picture of them: text is what they are pasted for.
    if (how === 'paste' && !isAboutFiles(carried)) return { kind: 'text' };
    const isPicture = ({ type }: NamedFile): boolean => type === '' || type.startsWith('image/');
    return { kind: 'pictures', files: files.filter(isPicture), others: files.filter((file) => !isPicture(file)).map(({ name }) => name) };
  }
  return decideWithoutFiles(carried, how);
}

function decideWithoutFiles({ text, html, uris }: Carried<NamedFile>, how: 'paste' | 'drop'): Taken<never> {
  const picturesOnly = isPictureOnly(html) ? imageAddresses(html) : [];
  const listed = lines(uris).filter((line) => !line.startsWith('#'));
  const alone = text.trim();
  const data = [...picturesOnly, ...listed, alone].filter(isDataAddress);
  if (data.length > 0) return { kind: 'data', addresses: [...new Set(data)] };
  const named = [...listed, ...nautilusFiles(text)].find((line) => /^file:/i.test(line));
  if (named !== undefined && (how === 'drop' || alone === '' || nautilusFiles(text).length > 0)) {
    return { kind: 'named', name: lastPart(named) };
  }
  const elsewhere =
    picturesOnly.find(isWebAddress) ?? (how === 'drop' ? listed.find((line) => isWebAddress(line) && looksLikePicture(line)) : undefined);
  const saysMore = how === 'paste' && alone !== '' && alone !== elsewhere && !isWebAddress(alone);
  if (elsewhere !== undefined && !saysMore) return { kind: 'address', address: elsewhere };
  return alone === '' && html === '' && uris === '' ? { kind: 'nothing' } : { kind: 'text' };
}

/** Whether the text that comes with files says no more than their names or where the picture was. */
function isAboutFiles({ files, text, html }: Carried<NamedFile>): boolean {
  if (text.trim() === '') return html === '' || isPictureOnly(html) || plainText(html) === '';
  const names = new Set(files.map(({ name }) => name));
  if (lines(text).every((line) => nautilusMarks.includes(line) || names.has(lastPart(line)))) return true;
  return isPictureOnly(html) && (isWebAddress(text.trim()) || isDataAddress(text.trim()));
}

/** What some file managers put in front of the files in the text. */
const nautilusMarks = ['x-special/nautilus-clipboard', 'copy', 'cut'];

function nautilusFiles(text: string): string[] {
  const all = lines(text);
  return all[0] === nautilusMarks[0] ? all.filter((line) => !nautilusMarks.includes(line)) : [];
}

function lines(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** Of a path or an address, without escapes where those are right. */
function lastPart(line: string): string {
  const part = line.split(/[\\/]/).at(-1) ?? '';
  if (!/^file:/i.test(line)) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function isDataAddress(address: string): boolean {
  return /^data:image\//i.test(address);
}

function isWebAddress(text: string): boolean {
  return /^(https?|blob):\S+$/i.test(text);
}

function looksLikePicture(address: string): boolean {
  return /\.(png|jpe?g|gif|webp|bmp|tiff?|avif|ico)([?#]|$)/i.test(address);
}

/** A fragment that shows a picture and no word, as "Copy image" in a browser makes it. */
function isPictureOnly(html: string): boolean {
  return /<img\b/i.test(html) && plainText(html) === '';
}

function plainText(html: string): string {
  const shown = [
    ['<!--', '-->'],
    ['<style', '</style>'],
    ['<script', '</script>'],
    ['<title', '</title>'],
  ].reduce((rest, [open, close]) => without(rest, open!, close!), html);
  return shown
    .split('<')
    .map((piece, index) => (index === 0 ? piece : piece.slice(piece.indexOf('>') + 1)))
    .join('')
    .replaceAll('&nbsp;', ' ')
    .trim();
}

/** What lies between the two, both included, is left out; without an end, all the rest. */
function without(html: string, open: string, close: string): string {
  const lower = html.toLowerCase();
  let kept = '';
  let at = 0;
  for (let begin = lower.indexOf(open); begin >= 0; begin = lower.indexOf(open, at)) {
    kept += html.slice(at, begin);
    const end = lower.indexOf(close, begin);
    if (end < 0) return kept;
    at = end + close.length;
  }
  return kept + html.slice(at);
}

function imageAddresses(html: string): string[] {
  const found: string[] = [];
  for (let at = 0; (at = html.indexOf('<', at)) >= 0; at++) {
    if (html.slice(at + 1, at + 5).toLowerCase() !== 'img ') continue;
    const end = html.indexOf('>', at);
    if (end < 0) break;
    const source = /\ssrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(html.slice(at, end));
    const address = source?.[1] ?? source?.[2] ?? source?.[3];
    if (address) found.push(address.replaceAll('&amp;', '&'));
    at = end;
  }
  return found;
}

/** The forms that a browser gives to a page; it keeps the rest to itself. */
export function carriedBy(data: DataTransfer | null): Carried {
  const read = (type: string): string => data?.getData(type) ?? '';
  return { files: [...(data?.files ?? [])], text: read('text/plain'), html: read('text/html'), uris: read('text/uri-list') };
}

/** While it is dragged, only this is known of it. */
export function mayBringPictures(data: DataTransfer | null): boolean {
  return data?.types.some((type) => type === 'Files' || type === 'text/uri-list') === true;
}

/** Null for what is not such an address after all. */
export function fileOfAddress(address: string, name: string): File | null {
  const [head, body] = [address.slice(0, address.indexOf(',')), address.slice(address.indexOf(',') + 1)];
  const type = /^data:(image\/[^;,]+)/i.exec(head)?.[1];
  if (!type) return null;
  try {
    const text = /;base64$/i.test(head) ? atob(decodeURIComponent(body)) : decodeURIComponent(body);
    return new File([Uint8Array.from(text, (letter) => letter.charCodeAt(0))], name, { type });
  } catch {
    return null;
  }
}
