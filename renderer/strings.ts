/** Every text of the window, by area. A translation is another object of the same type. */
import { chat } from './strings/chat.ts';
import { common, failures } from './strings/common.ts';
import { sidebar } from './strings/sidebar.ts';

export const strings = { common, failures, sidebar, chat };
