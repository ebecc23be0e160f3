/** The rules of options.ts, put on everything that shows a page. */
import type { Session, WebContents } from 'electron';
import { entry } from './entries.ts';
import { allowsPermission, externalLink, mayNavigate, mayRequest, maySave, spellsOffline } from './options.ts';
import { words } from './words.ts';

export interface LinkOptions {
  /** Asks the person, and opens the link if they agree. */
  offerLink: (link: { host: string; href: string }) => void;
}

/** Pages stay where they are: no navigation, no further windows, no embedded pages. Links to the web are offered to the browser. */
export function hardenContents(contents: WebContents, { offerLink }: LinkOptions): void {
  contents.on(
    'will-frame-navigate',
    entry((event) => {
      if (mayNavigate(event.url, event.isMainFrame)) return;
      event.preventDefault();
      const link = event.isMainFrame ? externalLink(event.url) : null;
      if (link) offerLink(link);
    }),
  );
  contents.on(
    'will-redirect',
    entry((event) => {
      if (!mayNavigate(event.url, event.isMainFrame)) event.preventDefault();
    }),
  );
  contents.on(
    'will-attach-webview',
    entry((event) => event.preventDefault()),
  );
  // A page has no use for WebRTC, which would ask servers for addresses past every other rule.
  contents.setWebRTCIPHandlingPolicy('disable_non_proxied_udp');
  contents.setWindowOpenHandler(
    entry(({ url }) => {
      const link = externalLink(url);
      if (link) offerLink(link);
      return { action: 'deny' as const };
    }),
  );
}

/** Nothing is permitted that is not needed, nothing is fetched from elsewhere, and nothing is saved but what the page made. */
export function hardenSession(session: Session, packaged: boolean): void {
  session.setPermissionRequestHandler(
    entry((_contents, permission, decide, details) => {
      decide(allowsPermission(permission, details.requestingUrl, details.isMainFrame));
    }),
  );
  session.setPermissionCheckHandler(
    entry((_contents, permission, requestingOrigin, details) =>
      allowsPermission(permission, details.requestingUrl ?? requestingOrigin, details.isMainFrame),
    ),
  );
  session.setDevicePermissionHandler(entry(() => false));
  session.setDisplayMediaRequestHandler(entry((_request, decide) => decide({})));
  session.webRequest.onBeforeRequest(entry(({ url }, decide) => decide({ cancel: !mayRequest(url, packaged) })));
  session.on(
    'will-download',
    // Electron asks the person where to.
    entry((event, item) => {
      if (maySave(item.getURL())) item.setSaveDialogOptions({ title: words.saveFile(item.getFilename()) });
      else event.preventDefault();
    }),
  );
  session.setSpellCheckerEnabled(spellsOffline(process.platform));
}
