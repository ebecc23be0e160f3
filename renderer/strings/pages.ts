import type { Pages } from '../../main/contract.ts';

type Unit = Pages['unit'];

/** Choosing a page, a frame or a size of a file that holds several. */
export const pages = {
  title: (name: string, unit: Unit) => `Which ${unit} of ${name}?`,
  choices: (unit: Unit) => ({ page: 'Pages', frame: 'Frames', size: 'Sizes' })[unit],
  one: (unit: Unit, number: number) => `${capital(unit)} ${number}`,
  size: (width: number, height: number) => `${width} × ${height}`,
  number: (unit: Unit) => `${capital(unit)} number`,
  of: (count: number) => `of ${count.toLocaleString('en')}`,
  earlier: (unit: Unit) => `Earlier ${unit}s`,
  later: (unit: Unit) => `Later ${unit}s`,
  unreadable: 'cannot be read',
  only: (offered: number, unit: Unit) =>
    offered === 1 ? `Only the first ${unit} can be opened.` : `Only the first ${offered.toLocaleString('en')} ${unit}s can be opened.`,
  reading: (unit: Unit) => `Reading the ${unit}s`,
  compose: (from: number, to: number, unit: Unit) => `Compose ${unit}s ${from} to ${to}`,
  close: 'Close the choice',
  chosen: (unit: Unit, number: number) => `The model will see ${unit} ${number}.`,
};

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
