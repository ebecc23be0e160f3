import { strings } from '../strings.ts';
import { carriedBy, decideTransfer, fileOfAddress } from './transfer.ts';

interface Notice {
  tone: 'danger';
  message: string;
  nextStep: string;
}

/**
 * The pictures of a paste or a drop; `say` hears of what was not taken and why. Null: it is text, and left to
 * whatever has the keyboard.
 */
export function takePictures(data: DataTransfer | null, how: 'paste' | 'drop', say: (notice: Notice) => void): File[] | null {
  const text = strings.chat;
  const taken = decideTransfer(carriedBy(data), how);
  switch (taken.kind) {
    case 'pictures': {
      const [other] = taken.others;
      if (other !== undefined) say({ tone: 'danger', message: text.notAPicture(other), nextStep: text.notAPictureStep });
      return taken.files;
    }
    case 'data': {
      const files = taken.addresses.map((address) => fileOfAddress(address, text.pastedPicture));
      if (files.includes(null)) say({ tone: 'danger', message: text.brokenAddress, nextStep: text.addressStep });
      return files.filter((file) => file !== null);
    }
    case 'address':
      say({ tone: 'danger', message: text.isAddress(short(taken.address)), nextStep: text.addressStep });
      return [];
    case 'named':
      say({ tone: 'danger', message: text.onlyNamed(taken.name), nextStep: text.onlyNamedStep });
      return [];
    case 'nothing':
      return [];
    case 'text':
      return null;
    default:
      return taken satisfies never;
  }
}

const longestAddress = 80;

function short(address: string): string {
  return address.length > longestAddress ? `${address.slice(0, longestAddress)}…` : address;
}

/** Where dropped text is the field's business; anywhere else a browser would leave the page for a dropped address. */
export function isTextField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('textarea, input, [contenteditable]');
}
