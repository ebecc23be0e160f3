/** Every text of the window, by area. A translation is another object of the same type. */
import { about, shortcutSheet } from './strings/about.ts';
import { archive } from './strings/archive.ts';
import { asking } from './strings/asking.ts';
import { capture } from './strings/capture.ts';
import { chat } from './strings/chat.ts';
import { common, failures, link, refused } from './strings/common.ts';
import { comparing } from './strings/comparing.ts';
import { compose } from './strings/compose.ts';
import { documents } from './strings/documents.ts';
import { find } from './strings/find.ts';
import { guard } from './strings/guard.ts';
import { inspector } from './strings/inspector.ts';
import { models } from './strings/models.ts';
import { pages } from './strings/pages.ts';
import { pin } from './strings/pin.ts';
import { privately } from './strings/privately.ts';
import { programs } from './strings/programs.ts';
import { quick } from './strings/quick.ts';
import { servers } from './strings/servers.ts';
import { settings } from './strings/settings.ts';
import { share } from './strings/share.ts';
import { sidebar } from './strings/sidebar.ts';
import { storage } from './strings/storage.ts';
import { tables } from './strings/tables.ts';
import { text } from './strings/text.ts';
import { vault } from './strings/vault.ts';
import { view } from './strings/view.ts';
import { viewer } from './strings/viewer.ts';
import { welcome } from './strings/welcome.ts';

export const strings = {
  common,
  failures,
  link,
  refused,
  sidebar,
  chat,
  archive,
  asking,
  capture,
  comparing,
  compose,
  documents,
  find,
  guard,
  inspector,
  models,
  pages,
  pin,
  privately,
  programs,
  quick,
  servers,
  settings,
  share,
  storage,
  tables,
  text,
  vault,
  view,
  viewer,
  welcome,
  about,
  shortcutSheet,
};
