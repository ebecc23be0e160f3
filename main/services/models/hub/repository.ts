/** A model's files as the Hugging Face Hub lists them, or a mirror that speaks the same API. */
import * as v from 'valibot';
import { LoupeError } from '../../../errors.ts';
import type { DownloadFile } from '../../ports.ts';
import type { Http, HttpResponse } from '../../network.ts';
import { unwilling } from './network-error.ts';
import { inTime, type Timing } from './timing.ts';

export interface ListedFile extends Pick<DownloadFile, 'path' | 'bytes' | 'checksum'> {
  /** Where it came with the list. */
  content?: Buffer;
}

export interface Listing {
  /** Commit: what is fetched later is of the same state. */
  revision: string;
  files: ListedFile[];
}

/** Where a model's files come from. */
export interface Source {
  /** Rejects with `network_failed`, `hub_invalid` and what `refusal` makes of the answer. */
  list(options: ListOptions): Promise<Listing>;
  /** Of a file that was listed. */
  fileUrl(repository: string, revision: string, file: ListedFile): string;
}

export interface ListOptions {
  http: Http;
  repository: string;
  token: string | null;
  signal: AbortSignal;
  timing: Timing;
}

const hex = (length: number) => v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${length}}$`)));
const size = v.pipe(v.number(), v.integer(), v.minValue(0));
const commit = v.pipe(v.string(), v.regex(/^[0-9a-f]{7,64}$/));

const infoSchema = v.object({ sha: commit });
const treeSchema = v.array(
  v.object({
    type: v.string(),
    path: v.pipe(v.string(), v.minLength(1), v.maxLength(500)),
    size: v.optional(size),
    oid: v.optional(v.string()),
    lfs: v.optional(v.object({ oid: hex(64), size })),
  }),
);

const mostPages = 20;
const mostBytes = 8 * 1024 * 1024;

export interface RepositoryOptions extends ListOptions {
  endpoint: string;
}

export const defaultEndpoint = 'https://huggingface.co';

/** HF_ENDPOINT, without a slash at its end. Throws `hub_invalid` for anything but a web address. */
export function endpointOf(environment: NodeJS.ProcessEnv): string {
  const named = environment['HF_ENDPOINT'] || defaultEndpoint;
  const url = URL.canParse(named) ? new URL(named) : null;
  if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new LoupeError('hub_invalid', `HF_ENDPOINT is not a web address (${named}).`, 'Unset it, or write it as https://host.');
  return url.href.replace(/\/+$/, '');
}

/**
 * The files of a repository that Loupe needs: weights and the text files beside them. Copies of the weights
 * in other forms (original/, *.bin, *.gguf, onnx/) are not downloaded.
 */
export function isNeeded(path: string): boolean {
  // Windows has devices of these names, whatever follows their first dot.
  if (/^(con|prn|aux|nul|com\d|lpt\d)\./i.test(path)) return false;
  return /^[\w][\w.-]*\.(safetensors|json|jinja)$/.test(path) || /^(LICENSE|LICENCE|USE_POLICY|NOTICE)(\.(txt|md))?$/i.test(path);
}

/** The Hugging Face Hub, or a mirror that speaks the same API. */
export function hubSource(endpoint: string): Source {
  return {
    list: (options) => listRepository({ ...options, endpoint }),
    fileUrl: (repository, revision, { path }) =>
      `${endpoint}/${repository}/resolve/${revision}/${path.split('/').map(encodeURIComponent).join('/')}`,
  };
}

async function listRepository(options: RepositoryOptions): Promise<Listing> {
  const { endpoint, repository } = options;
  const base = `${endpoint}/api/models/${repository}`;
  const { sha } = await readJson(options, `${base}/revision/main`, infoSchema).then(({ value }) => value);
  const files: Listing['files'] = [];
  let next: string | null = `${base}/tree/${sha}?recursive=true`;
  for (let page = 0; next !== null; page++) {
    if (page === mostPages) throw invalid(options, 'lists more files than a model has');
    const { value, link }: { value: v.InferOutput<typeof treeSchema>; link: string | null } = await readJson(options, next, treeSchema);
    for (const entry of value) {
      if (entry.type !== 'file' || !isNeeded(entry.path)) continue;
      files.push(toFile(entry, options));
    }
    next = link === null ? null : sameOrigin(new URL(link, next), options);
  }
  if (!files.some(({ path }) => path.endsWith('.safetensors'))) throw invalid(options, 'holds no .safetensors file');
  if (new Set(files.map(({ path }) => path.toLowerCase())).size !== files.length) throw invalid(options, 'lists a file twice');
  return { revision: sha, files };
}

/** A status that no second try will change; null for the others. */
export function refusal({ status, url }: Pick<HttpResponse, 'status' | 'url'>, repository: string, hasToken: boolean): LoupeError | null {
  const { host } = new URL(url);
  if (status === 401 || status === 403) {
    const why = hasToken ? 'with this access token' : 'without an access token';
    return new LoupeError('hub_gated', `${host} does not give out ${repository} ${why} (HTTP ${status}).`);
  }
  if (status === 404 || status === 410)
    return new LoupeError('hub_missing', `${host} has no ${repository}, or not this file of it (HTTP ${status}).`);
  if (status >= 400 && status < 500 && status !== 408 && status !== 416 && status !== 429)
    return new LoupeError('hub_invalid', `${host} refuses the request (HTTP ${status}).`);
  return null;
}

function toFile({ path, size, oid, lfs }: v.InferOutput<typeof treeSchema>[number], options: RepositoryOptions): Listing['files'][number] {
  if (lfs) return { path, bytes: lfs.size, checksum: { algorithm: 'sha256', value: lfs.oid } };
  if (size === undefined || oid === undefined || !v.is(hex(40), oid)) throw invalid(options, `states no size or checksum of ${path}`);
  return { path, bytes: size, checksum: { algorithm: 'git', value: oid } };
}

async function readJson<Schema extends v.GenericSchema>(
  options: RepositoryOptions,
  url: string,
  schema: Schema,
): Promise<{ value: v.InferOutput<Schema>; link: string | null }> {
  const { bytes, headers } = await readList(options, url);
  return { value: parseList(options, bytes, schema), link: nextLink(headers['link']) };
}

/** A list of files as it comes, of a few megabytes at most. */
export async function readList(
  options: RepositoryOptions,
  url: string,
  headers: Record<string, string> = {},
): Promise<{ bytes: Buffer; headers: HttpResponse['headers'] }> {
  const { http, token, repository, timing } = options;
  return inTime(options.signal, timing, async (signal, alive) => {
    const response = await http.get(url, { headers, token, signal });
    alive(1);
    if (response.status !== 200) {
      response.discard();
      throw refusal(response, repository, token !== null) ?? unwilling(response);
    }
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body) {
      bytes += chunk.byteLength;
      alive(chunk.byteLength);
      if (bytes > mostBytes) throw invalid(options, 'sends more than a list');
      chunks.push(chunk);
    }
    const length = response.headers['content-length'];
    if (length !== undefined && Number(length) !== bytes)
      throw new LoupeError('network_failed', `${new URL(url).host} broke the connection while it sent the list of files.`);
    return { bytes: Buffer.concat(chunks), headers: response.headers };
  });
}

export function parseList<Schema extends v.GenericSchema>(
  options: RepositoryOptions,
  bytes: Buffer,
  schema: Schema,
): v.InferOutput<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new LoupeError(
      'network_failed',
      `${new URL(options.endpoint).host} answered with something that is not JSON.`,
      'Check whether the network shows a log-in page.',
    );
  }
  const result = v.safeParse(schema, json);
  if (!result.success) throw invalid(options, `answers in a form that Loupe does not know (${result.issues[0].message})`);
  return result.output;
}

/** `<address>; rel="next"` */
function nextLink(header: string | undefined): string | null {
  return /<([^>]+)>;\s*rel="?next"?/.exec(header ?? '')?.[1] ?? null;
}

function sameOrigin(url: URL, options: RepositoryOptions): string {
  if (url.origin !== new URL(options.endpoint).origin) throw invalid(options, `continues its list at ${url.host}`);
  return url.href;
}

export function invalid({ endpoint, repository }: RepositoryOptions, what: string): LoupeError {
  return new LoupeError('hub_invalid', `${repository} at ${new URL(endpoint).host} ${what}.`);
}
