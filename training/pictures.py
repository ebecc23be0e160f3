"""A picture with its tiles, its questions, and what the auxiliary heads should say about each patch."""

import random
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

import tile_grid
import tiles
from drawing import CHARACTER_SLOTS, CHARACTERS, COLOUR_NAMES, KINDS, Sheet
from places import Patches, patches_of
from scenes import SCENES, Question
from strings import Strings

TILE, PATCH = 112, 14
# How often each grid of tiles (rows, columns) is aimed at.
GRIDS = {(1, 1): 44, (1, 2): 24, (1, 3): 6, (1, 4): 7, (2, 1): 4, (2, 2): 13, (3, 1): 1, (4, 1): 1}
LINE_CLASSES = 8
IGNORE = -100


@dataclass
class Picture:
    image: Image.Image
    tiles: np.ndarray  # [tiles, tile, tile, 3] bytes
    ratio: int
    questions: list[Question]
    characters: np.ndarray  # [tiles, patches, slots] int8: 0 nothing, then CHARACTERS
    kinds: np.ndarray  # [tiles, patches]
    colours: np.ndarray
    lines: np.ndarray
    scene: str
    # Of body text, in pixels of the tiles: what the model sees.
    em: float


def draw(
    rng: random.Random,
    mix: dict[str, float],
    evaluation: bool,
    unseen_fonts: bool,
    grids: dict[tuple[int, int], float] = GRIDS,
    tile: int = TILE,
    type_size: tuple[float, float] | None = None,
) -> Picture:
    """`type_size`: of body text in pixels of the tiles, from and to; as on screens unless given."""
    while True:
        scene = rng.choices(list(mix), list(mix.values()))[0]
        rows, columns = rng.choices(list(grids), list(grids.values()))[0]
        sheet = open_sheet(rng, rows, columns, unseen_fonts, scene, tile, type_size)
        questions = SCENES[scene](sheet, Strings(rng, evaluation))
        if questions:
            break
    image = sheet.finish()
    cut, ratio, factor = tiles.cut(image, tile)
    patches = Patches(*tile_grid.ARRANGEMENTS[ratio - 1], tile // PATCH, PATCH, factor)
    questions = [replace(q, patches=patches_of(sheet.texts, q.verbatim, patches, sheet.width, sheet.height)) for q in questions]
    return Picture(image, cut, ratio, questions, *patch_labels(sheet, ratio, patches, scene), scene, sheet.em * factor)


def open_sheet(
    rng: random.Random, rows: int, columns: int, unseen_fonts: bool, scene: str, tile: int, type_size: tuple[float, float] | None
) -> Sheet:
    """A sheet of up to this many tiles; larger than they are where a capture would be shrunk, smaller where it would grow."""
    wide = columns * tile if columns == 1 else rng.uniform((columns - 1) * tile + 12, columns * tile)
    high = rows * tile if rows == 1 else rng.uniform((rows - 1) * tile + 12, rows * tile)
    factor = 1.0
    if rows * columns == 1:
        wide, high = rng.uniform(50, tile), rng.uniform(24, tile)
        if scene in ("bars", "shapes"):
            wide, high = rng.uniform(80, tile), rng.uniform(64, tile)
        if rng.random() < 0.3:
            factor = rng.uniform(0.45, 1)
    elif rows * columns == 4 and rng.random() < 0.5:
        wide, high = columns * tile, rows * tile * rng.uniform(0.7, 1)
        if columns == 1:
            wide, high = tile * rng.uniform(0.7, 1), rows * tile
        factor = rng.uniform(1.1, 2.0)
    elif rows == 1 and columns > 1:
        high = rng.uniform(28, tile)
    em = rng.choices([rng.uniform(11, 13), rng.uniform(13, 17), rng.uniform(17, 24), rng.uniform(24, 34)], [3, 5, 2, 0.5])[0]
    if scene in ("labelled", "lines", "mixed", "bars"):
        em = min(em, rng.uniform(11, 18))
    if type_size:
        em = rng.uniform(*type_size)
    em = min(em, high * 0.7)
    # A tile shows type of eleven pixels and more; smaller type of a screen fits where the picture is enlarged.
    return Sheet(rng, round(wide * factor), round(high * factor), max(8, round(em * factor)), unseen_fonts)


def patch_labels(sheet: Sheet, ratio: int, patches: Patches, scene: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = tile_grid.ARRANGEMENTS[ratio - 1]
    side = patches.side
    high, wide = patches.high, patches.wide
    characters = np.zeros((high, wide, CHARACTER_SLOTS), np.int64)
    kinds, colours = np.zeros((high, wide), np.int64), np.zeros((high, wide), np.int64)
    lines = np.full((high, wide), IGNORE, np.int64)
    cells: dict[tuple[int, int], list] = {}
    for letter in sheet.letters:
        if 0 <= letter.x < sheet.width and 0 <= letter.y < sheet.height:
            cells.setdefault(patches.cell(letter), []).append(letter)
    for (row, column), letters in cells.items():
        # Lines of a small print may share a patch: upper line first.
        letters.sort(key=lambda letter: (round(letter.y), letter.x))
        for slot, letter in enumerate(letters[:CHARACTER_SLOTS]):
            index = CHARACTERS.find(letter.character)
            characters[row, column, slot] = index + 1 if index >= 0 else IGNORE
        if scene in ("lines", "labelled", "short"):
            lines[row, column] = letters[0].line
    for thing in sheet.things:
        left, top, right, bottom = (edge * patches.scale for edge in thing.box)
        for row in range(max(0, int(top)), min(high, int(bottom) + 1)):
            for column in range(max(0, int(left)), min(wide, int(right) + 1)):
                share = max(0, min(right, column + 1) - max(left, column)) * max(0, min(bottom, row + 1) - max(top, row))
                if share >= 0.35 or (row == int((top + bottom) / 2) and column == int((left + right) / 2)):
                    kinds[row, column] = KINDS.index(thing.kind)
                    if thing.colour:
                        colours[row, column] = COLOUR_NAMES.index(thing.colour) + 1

    def by_tile(grid: np.ndarray) -> np.ndarray:
        return grid.reshape(rows, side, columns, side, *grid.shape[2:]).swapaxes(1, 2).reshape(rows * columns, side * side, *grid.shape[2:])

    return by_tile(characters), by_tile(kinds), by_tile(colours), by_tile(lines)
