/** Ollama's library on this machine: a manifest, and blobs that lie on another host, as the real ones do. */
import { base, createFileServer, end, listen, sha256, type Fault } from './hub-double.ts';

export interface RegistryDoubleOptions {
  /** By kind: "model", "params", "license". */
  layers: Readonly<Record<string, Buffer>>;
  /** The fault of a request for "manifest", or for a layer by its kind. */
  next?: ((what: string) => Fault | 'gone' | null) | undefined;
  /** Kinds that are sent wrong every time. */
  spoilt?: readonly string[];
}

export interface RegistryDouble {
  endpoint: string;
  /** Of the layer of a kind. */
  digest(kind: string): string;
  readonly ranges: readonly string[];
  /** Requests with credentials: there should be none. */
  readonly leaks: number;
  /** Another build under the same tag; what was there before is gone. */
  publish(layers: RegistryDoubleOptions['layers']): void;
  close(): Promise<void>;
}

export const repository = 'library/llama3.2-vision';
export const tag = '11b';

export async function startRegistryDouble({ layers, next = () => null, spoilt = [] }: RegistryDoubleOptions): Promise<RegistryDouble> {
  const ranges: string[] = [];
  let leaks = 0;
  let kinds = new Map<string, string>();
  let blobs = new Map<string, Buffer>();
  let manifest = '';
  const config = Buffer.from('{"model_format":"gguf"}');
  const publish = (all: RegistryDoubleOptions['layers']): void => {
    blobs = new Map([config, ...Object.values(all)].map((bytes) => [sha256(bytes), bytes]));
    kinds = new Map(Object.entries(all).map(([kind, bytes]) => [sha256(bytes), kind]));
    const described = (bytes: Buffer) => ({ digest: `sha256:${sha256(bytes)}`, size: bytes.length });
    manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      config: { mediaType: 'application/vnd.docker.container.image.v1+json', ...described(config) },
      layers: Object.entries(all).map(([kind, bytes]) => ({ mediaType: `application/vnd.ollama.image.${kind}`, ...described(bytes) })),
    });
  };
  publish(layers);

  const store = await listen((request, response) => {
    if (request.headers.authorization !== undefined) leaks++;
    const hash = request.url!.slice(1);
    const kind = kinds.get(hash) ?? 'config';
    const fault = next(kind);
    if (fault === 'gone') return end(response, 404, 'no such blob');
    const serve = createFileServer({ files: blobs, spoilt: new Set(spoilt.includes(kind) ? [hash] : []), ranges });
    serve(request, response, hash, fault);
  });
  const registry = await listen((request, response) => {
    if (request.headers.authorization !== undefined) leaks++;
    if (request.url === `/v2/${repository}/manifests/${tag}`) {
      const fault = next('manifest');
      if (fault === 'gone') return end(response, 404, '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', 'application/json');
      if (fault) return end(response, Number(fault) || 500, 'busy');
      return end(response, 200, manifest, 'text/plain; charset=utf-8');
    }
    const [, hash = ''] = new RegExp(`^/v2/${repository}/blobs/sha256:([0-9a-f]{64})$`).exec(request.url!) ?? [];
    if (!blobs.has(hash)) return end(response, 404, '{"errors":[{"code":"BLOB_UNKNOWN"}]}', 'application/json');
    response.writeHead(307, { location: `${base(store)}/${hash}`, 'content-length': 0 }).end();
  });

  return {
    endpoint: base(registry),
    digest: (kind) => [...kinds].find(([, known]) => known === kind)![0],
    ranges,
    get leaks() {
      return leaks;
    },
    publish,
    close: async () => {
      await Promise.all([registry, store].map((server) => new Promise((resolve) => server.close(resolve) && server.closeAllConnections())));
    },
  };
}
