/** How much programs may ask of Loupe at once. Lengths of text in UTF-16 units, the rest in bytes unless a name says otherwise. */
import type { LimitsOfBody } from './body.ts';

export interface ApiLimits extends LimitsOfBody {
  /** Requests that wait for their turn, beside the one that is being answered. */
  waiting: number;
  connections: number;
  /** Of an answer that its reader leaves in the connection. */
  unread: number;
}

export const usualLimits: ApiLimits = {
  /** A picture of 64 MB in base64, and text around it. */
  body: 96_000_000,
  allBodies: 400_000_000,
  waiting: 128,
  connections: 512,
  unread: 8_000_000,
};

/** Of one request; more than one is looked at only where they are composed. */
export const mostPictures = 100;
export const mostMessages = 10_000;
/** Of a conversation that is kept: each is a commit. */
export const mostKept = 200;
/** Of all messages together: twice what fits the longest context. */
export const mostText = 1_000_000;
/** A request that is not read to its end by then is given up, ms. */
export const longestArrivalMs = 120_000;
/** A key of one's own. */
export const shortestKey = 16;
