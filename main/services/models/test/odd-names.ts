/** Names that folders and files have on real machines. */

const anywhere = [
  'OneDrive - Company, Inc',
  'a,b,,c',
  "it's mine",
  '100% #1 %2F %',
  'Größe 模型 🦙',
  '-dash',
  '--model',
  '[x] (1) {2} $HOME & `y`; ~',
  '["a","b"]',
];
/** Windows has no such names. */
const elsewhere = ['"quoted"', 'what?', 'two\nlines', 'back\\slash', 'ends in a space ', 'a:b', ','];

export const oddNames: readonly string[] =
  process.platform === 'win32' ? anywhere.filter((name) => !name.includes('"')) : [...anywhere, ...elsewhere];

/** All of them in one. */
export const oddestName = process.platform === 'win32' ? "-One, Inc 100%25 #1 'q ü 🦙" : '-One, Inc 100%25 #1 \'q" ü 🦙\nx?';
