#version 450
// out[tile * patches + p, (c * P + y) * P + x] = (pixel(tile, p, y, x, c) / 255 - mean[c]) / std[c]
// pixels uint8 [num_tiles, size, size, 3], four to a word; out [max_tiles * patches, cols] float32, zero
// for tiles that the picture does not use and for columns beyond 3 * P * P.
// One thread an output element; the read is uncoalesced, but it happens once a picture.

layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer Pixels { uint pixels[]; };
layout(std430, binding = 1) writeonly buffer Out { float values[]; };
layout(push_constant) uniform Push {
  uint size;
  uint patch_size;
  uint num_tiles;
  uint cols;
  uint offset;
  float mean_r;
  float mean_g;
  float mean_b;
  float std_r;
  float std_g;
  float std_b;
};

void main() {
  const uint column = gl_GlobalInvocationID.x, row = gl_WorkGroupID.y;
  if (column >= cols) return;
  const uint grid = size / patch_size, patches = grid * grid;
  const uint tile = row / patches, patch_index = row % patches;
  float value = 0.0;
  if (tile < num_tiles && column < 3 * patch_size * patch_size) {
    const uint c = column / (patch_size * patch_size), in_patch = column % (patch_size * patch_size);
    const uint y = patch_index / grid * patch_size + in_patch / patch_size, x = patch_index % grid * patch_size + in_patch % patch_size;
    const uint at = ((tile * size + y) * size + x) * 3 + c;
    const float byte = float(pixels[at >> 2] >> (8 * (at & 3u)) & 0xffu);
    const float mean = c == 0 ? mean_r : c == 1 ? mean_g : mean_b, std = c == 0 ? std_r : c == 1 ? std_g : std_b;
    value = (byte / 255.0 - mean) / std;
  }
  values[offset + row * cols + column] = value;
}
