/** Names that the preload script and the app agree on. */
export const channels = { request: 'loupe:request', event: 'loupe:event' } as const;
