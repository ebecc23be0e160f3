/** After so many captures the keys have been learned. */
export const hintsShownAtMost = 3;
