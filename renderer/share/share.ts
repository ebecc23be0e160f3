/** A conversation made ready for somebody else. Loaded when it is wanted. */
import { fileNameOf, type Conversation } from '../../main/contract.ts';
import type { Client } from '../api/client.ts';
import { coloursOf } from '../markdown/colours.ts';
import { formulaOf } from '../markdown/formula.ts';
import type { Drawing } from './blocks.ts';
import { sharedArticle, sharedBlock, sharedPage, type SharedPictures } from './page.ts';
import { drawPicture } from './picture.ts';
import { sharedPictures } from './pictures.ts';
import { treeOfFormula } from './tree.ts';

export type ShareForm = 'page' | 'picture';

export interface Shared {
  fileName: string;
  content: Blob;
}

const drawing: Drawing = {
  colours: coloursOf,
  formula: (tex, display) => {
    const math = formulaOf(tex, display);
    return math && treeOfFormula(math);
  },
};

/** Null: as one picture it would be too tall. Rejects with a `RequestFailure` where there is no such conversation. */
export async function share(client: Client, id: number, form: ShareForm, theme: 'light' | 'dark'): Promise<Shared | null> {
  const conversation = await client.request('conversations.open', { id });
  const pictures = await sharedPictures(conversation);
  const content = form === 'page' ? asPage(conversation, pictures) : await asPicture(conversation, pictures, theme);
  return content && { fileName: `${fileNameOf(conversation.title)}.${form === 'page' ? 'html' : 'png'}`, content };
}

function asPage(conversation: Conversation, pictures: SharedPictures): Blob {
  return new Blob([sharedPage(conversation, pictures, drawing)], { type: 'text/html;charset=utf-8' });
}

function asPicture(conversation: Conversation, pictures: SharedPictures, theme: 'light' | 'dark'): Promise<Blob | null> {
  return drawPicture(sharedBlock(sharedArticle(conversation, pictures, drawing), theme));
}
