"""The held-out questions: always the same pictures for the same seed.

    python evaluation_set.py OUT_DIRECTORY [--questions 500] [--seed 1]
    python evaluation_set.py OUT_DIRECTORY --small

Writes cases.json and pictures/. A cell is a task in fonts of training or in held-out fonts; strings of four and
more characters belong to the held-out tenth, and no layout was drawn before. Half of a cell's pictures fill one
tile, the others two to four.
"""

import argparse
import json
import random
import re
from pathlib import Path

import pictures
from dialogues import INTRODUCTION, CANNOT, GREETING, GREETING_WITH_PICTURE, GREETINGS, NO_PICTURE, OTHER, WHO
from pictures import GRIDS, Picture

SINGLE = {(1, 1): 1.0}
SEVERAL = {grid: share for grid, share in GRIDS.items() if grid != (1, 1)}
# Task: the scenes that ask it.
CELLS = {
    "short": {"short": 3, "lines": 1, "dialog": 1},
    "line": {"lines": 1},
    "value": {"labelled": 1},
    "colour": {"dialog": 1},
    "count": {"shapes": 3, "dialog": 1, "bars": 1},
    "bars": {"bars": 1},
    "block": {"lines": 1},
    "absent": {"labelled": 1, "dialog": 1, "lines": 1, "bars": 1},
}
TAKEOVER = {"short": 2, "lines": 1, "labelled": 2, "dialog": 2, "bars": 1, "shapes": 1}


def bare(answer: str) -> str | None:
    """What a sentence says, where a word would do as an answer."""
    found = re.fullmatch(
        r"The (?:\w+ )?(?:bar|bars|button|circle|square|triangle|star) (?:is|are) (.+)\.|There (?:is|are) (\d+) \w+\.", answer
    )
    return (found[1] or found[2]) if found else None


def fits(task: str, answer: str) -> bool:
    """Short text has 4 to 12 characters."""
    return task != "short" or 4 <= len(answer) <= 12


class Writer:
    def __init__(self, directory: Path):
        self.directory, self.cases, self.names = directory, [], {}
        (directory / "pictures").mkdir(parents=True, exist_ok=True)

    def name(self, picture: Picture) -> str:
        if id(picture) not in self.names:
            name = f"pictures/{len(self.names):05}.png"
            picture.image.save(self.directory / name, optimize=True)
            # The picture is kept, so that its id stays its own.
            self.names[id(picture)] = (name, picture)
        return self.names[id(picture)][0]

    def add(self, cell: str, unseen: bool, turns: list[tuple[Picture | None, str, str]]) -> None:
        """The last turn is asked; the answers of those before are given. `also`: another answer that counts. `em`: see Picture."""
        last = next((picture for picture, _, _ in reversed(turns) if picture), None)
        self.cases.append(
            {
                "cell": cell,
                "fonts": "held-out" if unseen else "known",
                "tiles": len(last.tiles) if last else 0,
                **({"em": round(last.em, 1)} if last else {}),
                **({"also": bare(turns[-1][2])} if bare(turns[-1][2]) else {}),
                "turns": [
                    {**({"image": self.name(picture)} if picture else {}), "ask": ask, "answer": answer} for picture, ask, answer in turns
                ],
            }
        )


def make(directory: Path, questions: int, seed: int) -> None:
    writer = Writer(directory)
    for unseen in (False, True):
        for cell, scenes in CELLS.items():
            rng = random.Random(f"{seed} {cell} {unseen}")
            for grids, several in ((SINGLE, False), (SEVERAL, True)):
                wanted = questions // 2
                while wanted > 0:
                    picture = pictures.draw(rng, scenes, True, unseen, grids)
                    if (len(picture.tiles) > 1) != several:
                        continue
                    chosen = [q for q in picture.questions if q.task == cell and fits(cell, q.answer)][: min(2, wanted)]
                    wanted -= len(chosen)
                    for question in chosen:
                        writer.add(cell, unseen, [(picture, question.ask, question.answer)])
        rng = random.Random(f"{seed} dialogues {unseen}")
        for _ in range(questions):
            first, second = (pictures.draw(rng, TAKEOVER, True, unseen) for _ in range(2))
            a, b = rng.choice(first.questions), rng.choice([q for q in second.questions if fits(q.task, q.answer)] or second.questions)
            writer.add("takeover", unseen, [(first, a.ask, a.answer), (second, b.ask, b.answer)])
            writer.add("takeover alone", unseen, [(second, b.ask, b.answer)])
        for _ in range(questions // 2):
            picture = pictures.draw(rng, TAKEOVER, True, unseen)
            if len(picture.questions) > 1:
                a, b = rng.sample(picture.questions, 2)
                writer.add("follow-up", unseen, [(picture, a.ask, a.answer), (None, b.ask, b.answer)])
                writer.add("follow-up alone", unseen, [(picture, b.ask, b.answer)])
    rng = random.Random(f"{seed} chat")
    for asks, alone, with_picture in (
        (GREETINGS, GREETING, GREETING_WITH_PICTURE),
        (WHO, INTRODUCTION, INTRODUCTION),
        (OTHER, CANNOT, CANNOT),
    ):
        for ask in sorted(set(asks)):
            writer.add("chat", False, [(None, ask, alone)])
            writer.add("chat", False, [(pictures.draw(rng, TAKEOVER, True, False), ask, with_picture)])
    (directory / "cases.json").write_text(json.dumps(writer.cases, indent=0, ensure_ascii=False) + "\n")


def make_small(directory: Path, seed: int) -> None:
    """Few pictures and all that can be asked about them, for a test of minutes."""
    writer = Writer(directory)
    rng = random.Random(f"{seed} small")
    for unseen in (False, True):
        for scene in ("short", "lines", "labelled", "dialog", "bars", "shapes"):
            for grids in (SINGLE, {(1, 2): 1.0}, {(2, 2): 1.0, (1, 4): 1.0}):
                while True:
                    picture = pictures.draw(rng, {scene: 1}, True, unseen, grids)
                    if (len(picture.tiles) > 1) == (grids is not SINGLE):
                        break
                for question in picture.questions[:5]:
                    writer.add(question.task, unseen, [(picture, question.ask, question.answer)])
                if scene != "bars" and len(picture.questions) > 1:
                    a, b = picture.questions[:2]
                    writer.add("follow-up", unseen, [(picture, a.ask, a.answer), (None, b.ask, b.answer)])
        for _ in range(3):
            first, second = (pictures.draw(rng, TAKEOVER, True, unseen) for _ in range(2))
            a, b = rng.choice(first.questions), rng.choice(second.questions)
            writer.add("takeover", unseen, [(first, a.ask, a.answer), (second, b.ask, b.answer)])
    for ask, answer in (
        ("Hello", GREETING),
        ("Who are you?", INTRODUCTION),
        ("What can you do?", INTRODUCTION),
        ("Write a poem.", CANNOT),
        ("What does it say?", NO_PICTURE),
    ):
        writer.add("chat", False, [(None, ask, answer)])
    (directory / "cases.json").write_text(json.dumps(writer.cases, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    if options.small:
        make_small(options.out, options.seed)
    else:
        make(options.out, options.questions, options.seed)
