/** What a start of Loupe asks for: by its arguments, by a link, or by a second start that hands over to the first. */
import * as v from 'valibot';
import { scheme } from './options.ts';

const intentSchema = v.variant('kind', [
  v.strictObject({ kind: v.literal('show'), conversationId: v.nullable(v.pipe(v.number(), v.safeInteger(), v.minValue(1))) }),
  v.strictObject({ kind: v.literal('capture'), mode: v.picklist(['region', 'display', 'last']) }),
  v.strictObject({ kind: v.literal('hidden') }),
]);

export type Intent = v.InferOutput<typeof intentSchema>;

const show: Intent = { kind: 'show', conversationId: null };

/** `--capture[=region|display|last]`, `--hidden`, or a link; anything else shows the window. */
export function intentOfArguments(args: readonly string[]): Intent {
  for (const argument of args) {
    if (argument === '--hidden') return { kind: 'hidden' };
    if (argument === '--capture') return { kind: 'capture', mode: 'region' };
    const [, mode] = /^--capture=(.*)$/.exec(argument) ?? [];
    if (mode === 'region' || mode === 'display' || mode === 'last') return { kind: 'capture', mode };
    const linked = intentOfLink(argument);
    if (linked) return linked;
  }
  return show;
}

/**
 * `loupe://open`, `loupe://conversation/12`, `loupe://capture`. Web pages can open links, so that
 * none takes a picture without the person choosing the region. Null for what is no link of ours.
 */
export function intentOfLink(link: string): Intent | null {
  const url = URL.canParse(link) ? new URL(link) : null;
  if (url?.protocol !== `${scheme}:`) return null;
  if (url.host === 'capture') return { kind: 'capture', mode: 'region' };
  if (url.host === 'open') return show;
  const [, number] = url.host === 'conversation' ? (/^\/(\d{1,15})$/.exec(url.pathname) ?? []) : [];
  return parseIntent({ kind: 'show', conversationId: Number(number) });
}

/** The window stays away at the first start if the person or the session wants it so, unless something else was asked for. */
export function firstIntent(intent: Intent, { atLogin, minimised }: { atLogin: boolean; minimised: boolean }): Intent {
  const isPlain = intent.kind === 'show' && intent.conversationId === null;
  return isPlain && (atLogin || minimised) ? { kind: 'hidden' } : intent;
}

/** What another process handed over; null when it is not understood. */
export function parseIntent(value: unknown): Intent | null {
  const result = v.safeParse(intentSchema, value);
  return result.success ? result.output : null;
}
