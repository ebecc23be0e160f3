"""What a step of training on a GPU learns from. A batch depends on its plan and its number alone, whichever process draws it and when.

Plain NumPy, so that the processes that draw start without PyTorch.
"""

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import dialogues
import pictures
from pictures import GRIDS
from scenes import Question
from tokens import Tokens

# Scenes and how often each is drawn, in ordinary batches and in pages full of letters, from which only the encoder learns.
MIX = {"short": 16, "lines": 20, "labelled": 24, "dialog": 20, "bars": 12, "shapes": 8, "mixed": 4}
PAGE_MIX, PAGE_GRIDS = {"mixed": 1}, {(1, 1): 3, (1, 2): 1, (1, 4): 2, (2, 2): 6}
# Tokens of a row by number of tiles, and the most answers in it.
ROW, ANSWERS = {1: 192, 2: 224, 3: 256, 4: 256}, 64
# Share of the batches in which some conversations turn to a second picture.
PAIRED = 0.12
# What answers are counted by; others count as "chat".
TASKS = ["short", "line", "value", "colour", "count", "bars", "block", "absent", "title", "count lines", "takeover", "chat"]
LABELS = ("characters", "kinds", "colours", "lines")


@dataclass(frozen=True)
class Plan:
    """`tiles`: of a batch; a batch of pictures with more tiles each has fewer pictures. `pages`: share of the batches."""

    checkpoint: Path  # whose tokenizer
    tile: int
    tiles: int
    pages: float
    seed: int

    def pictures(self, tiles: int) -> int:
        return max(2, self.tiles // tiles)

    def layout(self, kind: "Kind") -> dict[str, tuple[tuple[int, ...], type]]:
        """Shape and type of every array of a batch."""
        count, side = self.pictures(kind.tiles), self.tile // pictures.PATCH
        patches = (count, kind.tiles, side * side)
        arrays: dict[str, tuple[tuple[int, ...], type]] = {
            "pixels": ((count, kind.tiles, self.tile, self.tile, 3), np.uint8),
            "ratios": ((count,), np.int8),
            "characters": ((*patches, pictures.CHARACTER_SLOTS), np.int8),
        }
        if not kind.pages:
            arrays |= dict.fromkeys(LABELS[1:], (patches, np.int8))
            arrays |= dict.fromkeys(dialogues.Row.ARRAYS, ((count, ROW[kind.tiles]), np.int16))
            arrays["tasks"] = ((count, ANSWERS), np.int8)
        return arrays

    def most_bytes(self) -> int:
        return max(bytes_of(self, Kind(tiles, False, False)) for tiles in ROW)


def size(shape: tuple[int, ...], type_: type) -> int:
    """In bytes, up to the next multiple of 64."""
    return -(-int(np.prod(shape)) * np.dtype(type_).itemsize // 64) * 64


@dataclass(frozen=True)
class Kind:
    tiles: int  # of each picture
    pages: bool
    paired: bool  # whether conversations go on about the next picture of the batch


def place(plan: Plan, kind: Kind, memory: memoryview) -> dict[str, np.ndarray]:
    """The arrays of a batch as they lie in memory, one behind the other."""
    arrays, begin = {}, 0
    for name, (shape, type_) in plan.layout(kind).items():
        arrays[name] = np.frombuffer(memory, type_, int(np.prod(shape)), begin).reshape(shape)
        begin += size(shape, type_)
    return arrays


def bytes_of(plan: Plan, kind: Kind) -> int:
    """How much of the memory a batch takes."""
    return sum(size(shape, type_) for shape, type_ in plan.layout(kind).values())


def make(plan: Plan, tokens: Tokens, number: int, memory: memoryview | None = None) -> tuple[Kind, dict[str, np.ndarray]]:
    """The arrays lie in `memory` if that is given: what a picture is made of is not copied twice, nor kept."""
    rng = random.Random(f"{plan.seed} {number}")
    pages = rng.random() < plan.pages
    grids = PAGE_GRIDS if pages else GRIDS
    rows, columns = rng.choices(list(grids), list(grids.values()))[0]
    kind = Kind(rows * columns, pages, not pages and rng.random() < PAIRED)
    arrays = place(plan, kind, memoryview(bytearray(bytes_of(plan, kind))) if memory is None else memory)
    alike = {grid: share for grid, share in grids.items() if grid[0] * grid[1] == kind.tiles}
    questions: list[list[Question]] = []
    while len(questions) < plan.pictures(kind.tiles):
        picture = pictures.draw(rng, PAGE_MIX if pages else MIX, False, False, alike, plan.tile)
        if len(picture.tiles) != kind.tiles:
            continue
        arrays["pixels"][len(questions)], arrays["ratios"][len(questions)] = picture.tiles, picture.ratio
        for name in LABELS[: 1 if pages else None]:
            arrays[name][len(questions)] = getattr(picture, name)
        questions.append(picture.questions)
    if not pages:
        for name, array in ask(rng, plan, tokens, kind, questions).items():
            arrays[name][...] = array
    return kind, arrays


def ask(rng: random.Random, plan: Plan, tokens: Tokens, kind: Kind, questions: list[list[Question]]) -> dict[str, np.ndarray]:
    rows = []
    for index, of_picture in enumerate(questions):
        second = questions[(index + 1) % len(questions)] if kind.paired else None
        rows.append(dialogues.fill_row(rng, tokens, ROW[kind.tiles], of_picture, second))
    each = [row.arrays(tokens.padding) for row in rows]
    tasks = np.full((len(rows), ANSWERS), -1)
    for row, names in zip(tasks, (row.tasks for row in rows)):
        row[: len(names)] = [TASKS.index(name if name in TASKS else "chat") for name in names]
    return {name: np.stack([arrays[name] for arrays in each]) for name in dialogues.Row.ARRAYS} | {"tasks": tasks}
