/** The pictures among what was pasted, dropped or picked. The app looks into them; this only sorts out what clearly is something else. */
export function imageFiles(source: { readonly files: FileList | null } | null): File[] {
  return [...(source?.files ?? [])].filter(({ type, name }) => type.startsWith('image/') || (type === '' && /\.(png|jpe?g|webp|avif|gif|tiff?|bmp)$/i.test(name)));
}
