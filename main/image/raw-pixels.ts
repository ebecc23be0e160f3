/** Pixels as decoders give them: grey (1), grey + alpha (2), RGB (3) or RGBA (4 channels). */
export interface Pixels {
  width: number;
  height: number;
  channels: number;
  data: Uint8Array;
}
