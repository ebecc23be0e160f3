/** What a drop or a picker brings, with what is in its folders. */

export const mostFiles = 2000;

export interface Brought {
  files: File[];
  /** Files in folders that are no documents. */
  leftOut: number;
  /** There were more than `mostFiles`. */
  cutOff: boolean;
  /** Names of files and folders that could not be read: a drive was pulled out, or they may not be. */
  unread: string[];
}

export const nothingBrought: Readonly<Brought> = { files: [], leftOut: 0, cutOff: false, unread: [] };

/** Loupe looks into the bytes; this only spares sending what cannot be one. */
export function mayBeDocument({ name, type }: { name: string; type: string }): boolean {
  return (
    type === 'application/pdf' ||
    type.startsWith('image/') ||
    /\.(pdf|tiff?|png|jpe?g|webp|gif|bmp|avif|ico)$/i.test(name) ||
    (type === '' && !/\.\w{1,5}$/.test(name))
  );
}

/** Whether there is a PDF among them: then all of them are meant for the library. */
export function hasPdf(files: Iterable<File>): boolean {
  return [...files].some(({ name, type }) => type === 'application/pdf' || /\.pdf$/i.test(name));
}

/** Whether there is a PDF or a folder in it: then all of it is meant for the library. */
export function bringsDocuments(data: DataTransfer): boolean {
  return hasPdf(data.files) || [...data.items].some((item) => item.webkitGetAsEntry()?.isDirectory === true);
}

/** The entries have to be taken from the event at once: later they are gone. */
export async function filesOfDrop(data: DataTransfer): Promise<Brought> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return { ...nothingBrought, files: [...data.files] };
  const brought: Brought = { files: [], leftOut: 0, cutOff: false, unread: [] };
  for (const entry of entries) await collect(entry, brought, true);
  return brought;
}

/** Of `<input webkitdirectory>`. */
export function filesOfFolder(all: readonly File[]): Brought {
  const documents = all.filter((file) => !isHidden(file.name) && mayBeDocument(file));
  const hidden = all.filter(({ name }) => isHidden(name)).length;
  return {
    ...nothingBrought,
    files: documents.slice(0, mostFiles),
    leftOut: all.length - hidden - documents.length,
    cutOff: documents.length > mostFiles,
  };
}

/** What cannot be read costs none of the others. */
async function collect(entry: FileSystemEntry, brought: Brought, isNamed: boolean): Promise<void> {
  try {
    await collectFrom(entry, brought, isNamed);
  } catch {
    brought.unread.push(entry.name);
  }
}

async function collectFrom(entry: FileSystemEntry, brought: Brought, isNamed: boolean): Promise<void> {
  if (brought.files.length >= mostFiles) {
    brought.cutOff = true;
    return;
  }
  if (isDirectory(entry)) {
    for (const child of await childrenOf(entry)) await collect(child, brought, false);
    return;
  }
  if (!isNamed && isHidden(entry.name)) return;
  const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
  // What somebody dropped by itself is answered by name.
  if (isNamed || mayBeDocument(file)) brought.files.push(file);
  else brought.leftOut++;
}

/** By name, as a person sees them; a reader returns a hundred at a time. */
async function childrenOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    all.push(...some);
  }
  return all.sort((one, other) => one.name.localeCompare(other.name, 'en', { numeric: true }));
}

function isDirectory(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}

/** .DS_Store, ._scan.pdf and the like, which no person put there. */
function isHidden(name: string): boolean {
  return name.startsWith('.') || name === 'Thumbs.db' || name === 'desktop.ini';
}
