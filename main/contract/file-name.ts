/** What a file is called that something with a title is written to. */

/** Bytes of UTF-8, well below what any file system allows, so that " (1)" and an ending still fit. */
const longestName = 120;
/** Names that Windows keeps for devices, with any ending. */
const reserved = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])$/i;

/** A name that every file system takes, without an ending. `kind`: what it is called where the title has nothing that may be in a name. */
export function fileNameOf(title: string, kind = 'Conversation'): string {
  const plain = title
    .toWellFormed()
    .normalize('NFC')
    // What separates folders or is forbidden somewhere, what cannot be seen, and what turns the direction of reading.
    .replace(/[\\/:*?"<>|\p{Cc}\p{Zl}\p{Zp}\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufffd]/gu, ' ')
    .replace(/\s+/g, ' ');
  const name = trimEnds(shorten(trimEnds(plain)));
  if (!name) return kind;
  return reserved.test(name.split('.')[0]!.trim()) ? `${kind} ${name}` : name;
}

/** Dots in front hide a file; dots and spaces at the end vanish on Windows. */
function trimEnds(name: string): string {
  return name.replace(/^[. ]+|[. ]+$/g, '');
}

function shorten(name: string): string {
  let bytes = 0;
  let kept = '';
  for (const { segment } of new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(name)) {
    bytes += new TextEncoder().encode(segment).length;
    if (bytes > longestName) break;
    kept += segment;
  }
  return kept;
}
