"""Pictures to tiles, as the mllama image processor and Loupe's engine cut them."""

import numpy as np
from PIL import Image

from tile_grid import arrange

MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


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
