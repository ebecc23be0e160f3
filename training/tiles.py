"""Pictures to tiles, as the mllama image processor and Loupe's engine cut them."""

import numpy as np
from PIL import Image

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
ARRANGEMENTS = [(height, width) for height in range(1, 5) for width in range(1, 5) if height * width <= 4]


def arrange(width: int, height: int, tile: int) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Aspect ratio id, (rows, columns) of tiles, and the (width, height) to which the picture is resized."""
    best, best_scale, best_area = 0, 0.0, 0
    for index, (rows, columns) in enumerate(ARRANGEMENTS):
        scale = min(columns * tile / width, rows * tile / height)
        better = 1 <= scale < best_scale if best_scale >= 1 else scale > best_scale
        if better or (scale == best_scale and rows * columns < best_area):
            best, best_scale, best_area = index, scale, rows * columns
    rows, columns = ARRANGEMENTS[best]
    wide, high = min(max(width, tile), columns * tile), min(max(height, tile), rows * tile)
    if wide / width < high / height:
        size = wide, min(max(1, int(height * (wide / width))), high)
    else:
        size = min(max(1, int(width * (high / height))), wide), high
    return best + 1, (rows, columns), size


def cut(picture: Image.Image, tile: int) -> tuple[np.ndarray, int, float]:
    """Bytes [tiles, tile, tile, 3], the aspect ratio id, and the factor from picture to canvas."""
    ratio, (rows, columns), size = arrange(*picture.size, tile)
    canvas = np.zeros((rows * tile, columns * tile, 3), np.uint8)
    canvas[: size[1], : size[0]] = np.asarray(picture.resize(size, Image.Resampling.BILINEAR) if size != picture.size else picture)
    tiles = canvas.reshape(rows, tile, columns, tile, 3).swapaxes(1, 2).reshape(rows * columns, tile, tile, 3)
    return tiles, ratio, size[0] / picture.size[0]


def normalise(tiles: np.ndarray) -> np.ndarray:
    """[..., tile, tile, 3] bytes to [..., 3, tile, tile] as the model expects them."""
    return np.moveaxis((tiles.astype(np.float32) / 255 - MEAN) / STD, -1, -3)
