/** The rules of options.ts, put on everything that shows a page. */
import type { Session, WebContents } from 'electron';
import { allowsPermission, externalLink, mayNavigate, mayRequest } from './options.ts';

export interface LinkOptions {
  /** Asks the person, and opens the link if they agree. */
  offerLink: (link: { host: string; href: string }) => void;
}

/** Pages stay where they are: no navigation, no further windows, no embedded pages. Links to the web are offered to the browser. */
export function hardenContents(contents: WebContents, { offerLink }: LinkOptions): void {
  contents.on('will-frame-navigate', (event) => {
    if (mayNavigate(event.url, event.isMainFrame)) return;
    event.preventDefault();
    const link = event.isMainFrame ? externalLink(event.url) : null;
    if (link) offerLink(link);
  });
  contents.on('will-redirect', (event) => {
    if (!mayNavigate(event.url, event.isMainFrame)) event.preventDefault();
  });
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.setWindowOpenHandler(({ url }) => {
    const link = externalLink(url);
    if (link) offerLink(link);
    return { action: 'deny' };
  });
}

/** Nothing is permitted that is not needed, nothing is fetched from elsewhere, nothing is downloaded. */
export function hardenSession(session: Session, packaged: boolean): void {
  session.setPermissionRequestHandler((_contents, permission, answer, details) => {
    answer(allowsPermission(permission, details.requestingUrl, details.isMainFrame));
  });
  session.setPermissionCheckHandler((_contents, permission, requestingOrigin, details) =>
    allowsPermission(permission, details.requestingUrl ?? requestingOrigin, details.isMainFrame),
  );
  session.setDevicePermissionHandler(() => false);
  session.setDisplayMediaRequestHandler((_request, answer) => answer({}));
  session.webRequest.onBeforeRequest(({ url }, answer) => answer({ cancel: !mayRequest(url, packaged) }));
  session.on('will-download', (event) => event.preventDefault());
  // Spelling dictionaries and the like would be fetched.
  session.setSpellCheckerEnabled(false);
}
