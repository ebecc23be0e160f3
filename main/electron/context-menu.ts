/** The context menu of every page: what can be done with the words, the link or the picture under the pointer. */
import { copyFile, writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { ContextMenuParams, MenuItemConstructorOptions, WebContents } from 'electron';
import { pictureAddress } from '../contract.ts';
import type { StoredFile } from '../services/ports.ts';
import { reportPicture } from './dialogs.ts';
import type { ElectronModule } from './electron-module.ts';
import { answer, entry } from './entries.ts';
import { externalLink, ownUrl } from './options.ts';
import { words } from './words.ts';

export interface ContextMenuActions {
  correct: (word: string) => void;
  learn: (word: string) => void;
  lookUp: () => void;
  copyLink: (address: string) => void;
  copyPicture: () => void;
  savePicture: (hash: string) => void;
}

/** A picture as it was brought. */
export type NamedPicture = StoredFile & { name: string };

export interface ContextMenuParts {
  electron: ElectronModule;
  /** Throws `not_found`. */
  picture: (hash: string) => NamedPicture;
  onFault: (error: unknown) => void;
}

type Params = Pick<
  ContextMenuParams,
  'isEditable' | 'editFlags' | 'selectionText' | 'linkURL' | 'mediaType' | 'srcURL' | 'misspelledWord' | 'dictionarySuggestions'
>;

/** Offers the menu on each page from now on. */
export function offerContextMenus({ electron, picture, onFault }: ContextMenuParts): void {
  const { app, clipboard, Menu } = electron;

  function actionsOf(contents: WebContents, { x, y }: ContextMenuParams): ContextMenuActions {
    return {
      correct: (word) => contents.replaceMisspelling(word),
      learn: (word) => void contents.session.addWordToSpellCheckerDictionary(word),
      lookUp: () => contents.showDefinitionForSelection(),
      copyLink: (address) => void answer(clipboard.writeText(address)).catch(onFault),
      copyPicture: () => contents.copyImageAt(x, y),
      savePicture: (hash) => savePicture(electron, () => picture(hash), onFault),
    };
  }

  app.on(
    'web-contents-created',
    entry((_event, contents) =>
      contents.on(
        'context-menu',
        entry((_menu, params) => {
          const template = contextMenuTemplate(params, process.platform, actionsOf(contents, params));
          if (template.length > 0) Menu.buildFromTemplate(template).popup();
        }),
      ),
    ),
  );
}

/** Empty where nothing can be done. */
export function contextMenuTemplate(params: Params, platform: NodeJS.Platform, actions: ContextMenuActions): MenuItemConstructorOptions[] {
  const groups = [
    spelling(params, actions),
    lookUp(params, platform, actions),
    picture(params, actions),
    link(params, actions),
    edit(params),
  ];
  return groups
    .filter((group) => group.length > 0)
    .flatMap((group, index) => (index > 0 ? [{ type: 'separator' as const }, ...group] : group));
}

function spelling({ misspelledWord, dictionarySuggestions }: Params, { correct, learn }: ContextMenuActions): MenuItemConstructorOptions[] {
  if (misspelledWord === '') return [];
  return [
    ...dictionarySuggestions.map((word) => ({ label: word, click: entry(() => correct(word)) })),
    ...(dictionarySuggestions.length === 0 ? [{ label: words.context.noSuggestions, enabled: false }] : []),
    { label: words.context.learn, click: entry(() => learn(misspelledWord)) },
  ];
}

/** Only macOS has a dictionary to ask. */
function lookUp({ selectionText }: Params, platform: NodeJS.Platform, actions: ContextMenuActions): MenuItemConstructorOptions[] {
  const selected = selectionText.trim();
  return platform === 'darwin' && selected !== '' ? [{ label: words.context.lookUp(short(selected)), click: entry(actions.lookUp) }] : [];
}

function picture({ mediaType, srcURL }: Params, actions: ContextMenuActions): MenuItemConstructorOptions[] {
  const own = mediaType === 'image' ? ownUrl(srcURL) : null;
  if (!own) return [];
  const [, hash] = pictureAddress.exec(own.pathname) ?? [];
  return [
    { label: words.context.copyPicture, click: entry(actions.copyPicture) },
    // What else is shown, as the mark of Loupe or a page that is drawn each time, is no file of the person's.
    ...(hash ? [{ label: words.context.savePicture, click: entry(() => actions.savePicture(hash)) }] : []),
  ];
}

function link({ linkURL }: Params, { copyLink }: ContextMenuActions): MenuItemConstructorOptions[] {
  const found = externalLink(linkURL);
  return found ? [{ label: words.context.copyLink, click: entry(() => copyLink(found.href)) }] : [];
}

function edit({ isEditable, editFlags, selectionText }: Params): MenuItemConstructorOptions[] {
  if (!isEditable) return selectionText.trim() === '' ? [] : [{ role: 'copy', enabled: editFlags.canCopy }];
  return [
    { role: 'undo', enabled: editFlags.canUndo },
    { role: 'redo', enabled: editFlags.canRedo },
    { type: 'separator' },
    { role: 'cut', enabled: editFlags.canCut },
    { role: 'copy', enabled: editFlags.canCopy },
    { role: 'paste', enabled: editFlags.canPaste },
    { role: 'selectAll', enabled: editFlags.canSelectAll },
  ];
}

/** As much as a menu has room for. */
function short(text: string): string {
  const most = 24;
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

/** Asks where to, and writes it there; a dialog says what went wrong. */
export function savePicture(electron: ElectronModule, find: () => NamedPicture, onFault: (error: unknown) => void): void {
  save(electron, find).catch((error: unknown) => {
    onFault(error);
    void reportPicture(electron, error).catch(onFault);
  });
}

async function save({ BrowserWindow, dialog }: ElectronModule, find: () => NamedPicture): Promise<void> {
  const found = find();
  const options: Electron.SaveDialogOptions = { title: words.context.saveTitle, defaultPath: fileNameOf(found) };
  const parent = BrowserWindow.getFocusedWindow();
  const { canceled, filePath } = await answer(parent ? dialog.showSaveDialog(parent, options) : dialog.showSaveDialog(options));
  if (canceled || !filePath) return;
  await ('path' in found ? copyFile(found.path, filePath) : writeFile(filePath, found.bytes));
}

/** Its name, as one that every file system takes; a picture that came without a file gets an ending for its format. */
export function fileNameOf({ name, mediaType }: Pick<NamedPicture, 'name' | 'mediaType'>): string {
  const plain = name.replace(/[\p{Cc}<>:"/\\|?*]/gu, ' ').replace(/^[. ]+|[. ]+$/g, '');
  const [, format = ''] = /^image\/(\w+)$/.exec(mediaType) ?? [];
  const ending = format === 'jpeg' ? '.jpg' : format && `.${format}`;
  return extname(plain) === '' ? `${plain || words.name}${ending}` : plain;
}
