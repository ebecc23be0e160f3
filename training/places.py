"""Where the characters of an answer lie in the picture: what training wants the cross-attention to look at.

Plain Python, so that the tests of the project can run it without PyTorch.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Spot(Protocol):
    """Pixels of the sheet."""

    x: float
    y: float


Letter = TypeVar("Letter", bound=Spot)
# What stands for "nowhere" where a patch is asked for.
NOWHERE = -1


class Patches:
    """The patches of a picture: `side` by `side` in a tile, tiles in `rows` and `columns`."""

    def __init__(self, rows: int, columns: int, side: int, patch: int, factor: float):
        self.high, self.wide = rows * side, columns * side
        self.columns, self.side = columns, side
        # Pixels of the sheet to patches.
        self.scale = factor / patch

    def cell(self, spot: Spot) -> tuple[int, int]:
        """Row and column on the whole canvas."""
        return min(self.high - 1, int(spot.y * self.scale)), min(self.wide - 1, int(spot.x * self.scale))

    def key(self, spot: Spot) -> int:
        """The place in what cross-attention sees: tile by tile, and in each the class token before the patches."""
        row, column = self.cell(spot)
        tile = row // self.side * self.columns + column // self.side
        return tile * (self.side * self.side + 1) + 1 + row % self.side * self.side + column % self.side


def letters_of(texts: Sequence[tuple[str, Sequence[Letter | None]]], verbatim: str) -> list[Letter | None]:
    """The letter of each byte of `verbatim`, None where there is none (spaces, line breaks).

    `texts`: what was written, each with the letters of its characters. Empty where a line of `verbatim` was not written as a whole or
    was written in two places: which of them is meant is not known here. Spaces in front take the letter behind them.
    """
    text = verbatim.lstrip(" ")
    found: list[Letter | None] = []
    for line in text.split("\n"):
        places = [letters for written, letters in texts if written == line]
        if len(places) != 1:
            return []
        if found:
            found.append(None)
        found += [letter for character, letter in zip(line, places[0]) for _ in character.encode()]
    return [found[0]] * (len(verbatim) - len(text)) + found


def patches_of(
    texts: Sequence[tuple[str, Sequence[Letter | None]]], verbatim: str, patches: Patches, width: float, height: float
) -> tuple[int, ...]:
    """The same as places in what cross-attention sees; a letter outside of the sheet (`width` by `height`) is nowhere."""
    return tuple(
        patches.key(letter) if letter and 0 <= letter.x < width and 0 <= letter.y < height else NOWHERE
        for letter in letters_of(texts, verbatim)
    )
