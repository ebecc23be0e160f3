"""Size of a picture to its tile grid, as main/ computes it. Needs no package: `npm test` runs it against fixtures/tiles/layouts.json."""

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
