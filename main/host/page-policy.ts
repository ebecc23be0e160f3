/**
 * The content security policy of the window, whatever host serves it: own files only, no inline
 * script or style element, no frame, no form. Style attributes carry positions that are computed.
 */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "style-src-attr 'unsafe-inline'",
  // `data:`: what a person shares as a picture is drawn by way of one. It asks nobody, and runs nothing.
  "img-src 'self' blob: data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  // Nothing but Svelte's own templates becomes HTML.
  "require-trusted-types-for 'script'",
  'trusted-types svelte-trusted-html',
].join('; ');
