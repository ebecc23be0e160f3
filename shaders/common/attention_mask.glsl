// What rows of queries see, decided for whole tiles of keys, so that only tiles at an edge ask for every score.
// Expects MASK (AttentionMask::Kind) and, as push constants, rows, length, num_tiles, tokens, padded.
// Causal rows see the keys up to `position0` + row; the others `length` keys, of which padding tokens of the vision
// encoder do not see one another. Every row sees a key: its own, or the first.

const uint MASK_ALL = 0, MASK_CAUSAL = 1, MASK_VISION = 2;

bool is_padding(uint token) { return token / padded >= num_tiles || token % padded >= tokens; }
// Of the tokens first .. last.
bool no_padding(uint first, uint last) {
  const uint tile = first / padded;
  return tile < num_tiles && last < tile * padded + tokens;
}
bool all_padding(uint first, uint last) {
  const uint tile = first / padded;
  return is_padding(first) && (tile + 1 >= num_tiles || last < (tile + 1) * padded);
}

// `both_padding`: row and key are.
bool row_sees(uint row, uint key, uint position0, bool both_padding) {
  return MASK == MASK_CAUSAL ? key <= position0 + row : key < length && !both_padding;
}
// Whether no row of first_row .. last_row sees any of `count` keys.
bool none_sees(uint first_row, uint last_row, uint key0, uint count, uint position0) {
  if (MASK == MASK_CAUSAL) return key0 > position0 + last_row;
  if (MASK == MASK_VISION) return all_padding(first_row, last_row) && all_padding(key0, min(key0 + count, length) - 1);
  return false;
}
// Whether each of these rows sees each of these keys.
bool each_sees(uint first_row, uint last_row, uint key0, uint count, uint position0) {
  if (MASK == MASK_CAUSAL) return key0 + count - 1 <= position0 + first_row;
  if (key0 + count > length) return false;
  return MASK != MASK_VISION || no_padding(first_row, last_row) || no_padding(key0, key0 + count - 1);
}
