/**
 * Ollama's library as a source of downloads. What arrives lies as in Ollama's own store (`manifests/HOST/NAMESPACE/MODEL/TAG`,
 * `blobs/sha256-HEX`), so that the parts of Loupe which read that store read it too, with the model's parameters and licence.
 * Sources: github.com/opencontainers/distribution-spec, spec.md; ollama v0.6.8, server/images.go.
 */
import { createHash } from 'node:crypto';
import { LoupeError } from '../../../errors.ts';
import { blobName, layersOf, ollamaHost, ollamaManifest } from '../ollama-manifest.ts';
import { invalid, parseList, readList, type Listing, type RepositoryOptions, type Source } from './repository.ts';

/** LOUPE_OLLAMA_REGISTRY, without a slash at its end. Throws `hub_invalid` for anything but a web address. */
export function ollamaEndpointOf(environment: NodeJS.ProcessEnv): string {
  const named = environment['LOUPE_OLLAMA_REGISTRY'] || `https://${ollamaHost}`;
  if (!/^https?:$/.test(URL.canParse(named) ? new URL(named).protocol : ''))
    throw new LoupeError('hub_invalid', `LOUPE_OLLAMA_REGISTRY is not a web address (${named}).`, 'Unset it, or write it as https://host.');
  return new URL(named).href.replace(/\/+$/, '');
}

/** @param tag which of the forms that the library has of a model */
export function ollamaSource(endpoint: string, tag: string): Source {
  const manifestPath = (repository: string): string => `manifests/${ollamaHost}/${repository}/${tag}`;
  return {
    list: (options) => list({ ...options, endpoint, token: null }, tag, manifestPath(options.repository)),
    fileUrl: (repository, _, { path, checksum }) =>
      path === manifestPath(repository)
        ? `${endpoint}/v2/${repository}/manifests/${tag}`
        : `${endpoint}/v2/${repository}/blobs/sha256:${checksum.value}`,
  };
}

async function list(options: RepositoryOptions, tag: string, manifestPath: string): Promise<Listing> {
  const accept = 'application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json, */*';
  const { bytes } = await readList(options, `${options.endpoint}/v2/${options.repository}/manifests/${tag}`, { accept });
  const manifest = parseList(options, bytes, ollamaManifest);
  if (layersOf(manifest, 'model').length === 0) throw invalid(options, 'holds no GGUF model');
  const blobs = [...manifest.layers, ...(manifest.config ? [manifest.config] : [])];
  const sizes = new Map(blobs.map(({ digest, size }) => [digest, size]));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return {
    revision: sha256,
    files: [
      { path: manifestPath, bytes: bytes.length, checksum: { algorithm: 'sha256', value: sha256 }, content: bytes },
      ...[...sizes].map(([digest, size]) => ({
        path: `blobs/${blobName(digest)}`,
        bytes: size,
        checksum: { algorithm: 'sha256' as const, value: digest.slice('sha256:'.length) },
      })),
    ],
  };
}
