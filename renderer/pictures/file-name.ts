import { partLabel, type Picture } from '../../main/contract.ts';

/** Without the page that a page's name ends with, where that is shown beside it. */
export function fileName({ name, origin }: Picture): string {
  const ending = origin.kind === 'page' ? `, ${partLabel(origin)}` : '';
  return ending !== '' && name.endsWith(ending) ? name.slice(0, -ending.length) : name;
}
