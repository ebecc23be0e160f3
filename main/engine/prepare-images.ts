/** Requests with pictures -> the same with their tiles, which the picture process has prepared. */
import type { Body, ChatMessage, ImageSource, PreparedPicture, RequestKind } from '../protocol.ts';

type Prepare = (source: ImageSource) => Promise<PreparedPicture>;

export function hasPictures<Kind extends RequestKind>(kind: Kind, body: Body<Kind>): boolean {
  return sourcesOf(kind, body).length > 0;
}

/** One after the other, and each once. */
export async function withTiles<Kind extends RequestKind>(kind: Kind, body: Body<Kind>, prepare: Prepare): Promise<Body<Kind>> {
  const prepared = new Map<string | ImageSource, PreparedPicture>();
  for (const source of sourcesOf(kind, body)) {
    const key = keyOf(source);
    if (!prepared.has(key)) prepared.set(key, await prepare(source));
  }
  return replaceImages(kind, body, (source) => prepared.get(keyOf(source))!);
}

/** Counting needs only the place of a picture: its bytes stay here. */
export function withoutBytes<Kind extends RequestKind>(kind: Kind, body: Body<Kind>): Body<Kind> {
  return replaceImages(kind, body, (source) => ('path' in source ? source : { path: source.name }));
}

function keyOf(source: ImageSource): string | ImageSource {
  return 'path' in source ? source.path : source;
}

function sourcesOf<Kind extends RequestKind>(kind: Kind, body: Body<Kind>): ImageSource[] {
  const sources: ImageSource[] = [];
  replaceImages(kind, body, (source) => {
    sources.push(source);
    return source;
  });
  return sources;
}

function replaceImages<Kind extends RequestKind>(
  kind: Kind,
  body: Body<Kind>,
  replace: (source: ImageSource) => ImageSource | PreparedPicture,
): Body<Kind> {
  const image = (given: ImageSource | PreparedPicture): ImageSource | PreparedPicture => ('tiles' in given ? given : replace(given));
  const message = ({ role, content }: ChatMessage): ChatMessage => ({
    role,
    content: content.map((part) => (part.type === 'image' ? { type: 'image', image: image(part.image) } : part)),
  });
  const of = body as Partial<Body<'trace'> & Body<'score'>> | null;
  return {
    ...body,
    ...(of?.messages && { messages: of.messages.map(message) }),
    ...(kind === 'trace' && of?.images && { images: of.images.map(image) }),
  };
}
