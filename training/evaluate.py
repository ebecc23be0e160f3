"""How often a checkpoint answers the held-out questions right, in PyTorch.

    python evaluate.py CHECKPOINT SET [--cells short,line] [--every N] [--wrong FILE] [--json FILE] [--device cuda]

SET: see evaluation_set.py. A question counts where every token of the answer, and the end behind it, is the
likeliest one: then greedy decoding writes exactly this answer. `evaluate.ts` asks the same through Loupe's engine.
"""

import argparse
import json
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from model import Model
from tiles import cut, normalise
from tokens import Tokens


class Examiner:
    def __init__(self, checkpoint: Path, pictures: Path, device: str = "cpu"):
        self.model, self.tokens, self.directory = Model.load(checkpoint).eval().to(device), Tokens(checkpoint), pictures
        self.device, self.seen = device, dict[str, torch.Tensor]()
        # A GPU is kept busy by larger batches.
        self.pictures, self.rows = (16, 24) if device == "cpu" else (128, 256)
        self.threads = ThreadPoolExecutor(1 if device == "cpu" else os.cpu_count())

    @torch.no_grad()
    def look(self, names: list[str]) -> None:
        """Pictures with as many tiles together."""
        missing = [name for name in dict.fromkeys(names) if name not in self.seen]
        groups: dict[int, list] = defaultdict(list)
        for name, (tiles, ratio, _) in zip(missing, self.threads.map(self.cut, missing)):
            groups[len(tiles)].append((name, tiles, ratio))
        for group in groups.values():
            for start in range(0, len(group), self.pictures):
                part = group[start : start + self.pictures]
                pixels = torch.from_numpy(normalise(np.stack([tiles for _, tiles, _ in part]))).to(self.device)
                _, states = self.model.see(pixels, torch.tensor([ratio for _, _, ratio in part], device=self.device))
                self.seen |= {name: state for (name, _, _), state in zip(part, states)}

    def cut(self, name: str) -> tuple[np.ndarray, int, float]:
        return cut(Image.open(self.directory / name).convert("RGB"), self.model.shape.tile)

    def prompt(self, turns: list[dict]) -> tuple[list[int], list[int], list[str]]:
        """Tokens up to the answer, the picture that each sees, and the pictures."""
        tokens, images = self.tokens, []
        ids, sees = [tokens.begin], [-1]
        for number, turn in enumerate(turns):
            part = tokens.user.copy()
            if "image" in turn:
                sees += [len(images) - 1] * len(part)
                ids += part
                images.append(turn["image"])
                part = [tokens.image]
            part += tokens.encode(turn["ask"]) + [tokens.end_of_turn] + tokens.assistant
            if number < len(turns) - 1:
                part += tokens.encode(turn["answer"]) + [tokens.end_of_turn]
            ids += part
            sees += [len(images) - 1] * len(part)
        return ids, sees, images

    @torch.no_grad()
    def answer(self, turns: list[dict], most: int = 160) -> str:
        """Greedy, as the engine answers."""
        ids, sees, images = self.prompt(turns)
        self.look(images)
        begin, pictures = len(ids), [self.seen[name][None] for name in images] or [self.nothing(1)]
        while len(ids) - begin < most:
            count = len(ids)
            hidden = self.model.read(
                torch.tensor([ids], device=self.device),
                torch.arange(count, device=self.device)[None].float(),
                torch.zeros(1, count, device=self.device),
                torch.tensor([sees], device=self.device),
                pictures,
            )
            best = int(self.model.logits(hidden[0, -1]).argmax())
            if best == self.tokens.end_of_turn:
                break
            ids.append(best)
            sees.append(sees[-1])
        return self.tokens.decode(ids[begin:])

    @torch.no_grad()
    def right(self, cases: list[dict]) -> list[bool]:
        """Of cases whose pictures have as many tiles each."""
        prompts = [self.prompt(case["turns"]) for case in cases]
        wanted = [self.spellings(case) for case in cases]
        length = max(len(ids) + max(map(len, answers)) for (ids, _, _), answers in zip(prompts, wanted))
        pictures = [torch.stack([self.seen[images[index]] for _, _, images in prompts]) for index in range(len(prompts[0][2]))]
        pictures = pictures or [self.nothing(len(cases))]
        result = [False] * len(cases)
        ways = max(map(len, wanted))
        wanted = [answers + answers[-1:] * (ways - len(answers)) for answers in wanted]
        for way in range(ways):
            tokens = torch.full((len(cases), length), self.tokens.padding)
            sees = torch.full((len(cases), length), -1)
            for row, ((ids, views, _), answers) in enumerate(zip(prompts, wanted)):
                full = ids + answers[way]
                tokens[row, : len(full)] = torch.tensor(full)
                sees[row, : len(full)] = torch.tensor(views + [views[-1]] * len(answers[way]))
            tokens, sees = tokens.to(self.device), sees.to(self.device)
            positions = torch.arange(length, device=self.device).expand(len(cases), -1).float()
            hidden = self.model.read(tokens, positions, torch.zeros(len(cases), length, device=self.device), sees, pictures)
            best = self.model.logits(hidden).argmax(-1).tolist()
            for row, ((ids, _, _), answers) in enumerate(zip(prompts, wanted)):
                begin, end = len(ids), len(ids) + len(answers[way])
                result[row] |= best[row][begin - 1 : end - 1] == answers[way]
        return result

    def nothing(self, rows: int) -> torch.Tensor:
        """What stands in the place of a picture where there is none."""
        return torch.zeros(rows, 1, self.model.shape.text_width, device=self.device)

    def spellings(self, case: dict) -> list[list[int]]:
        """An answer may be written in whole words or letter by letter, or as a sentence with a spelled name."""
        tokens, answer = self.tokens, case["turns"][-1]["answer"]
        ways = [tokens.encode(answer), tokens.spell(answer)]
        if "also" in case:
            name = case["also"]
            before, after = answer[: answer.rindex(name)], answer[answer.rindex(name) + len(name) :]
            ways += [
                tokens.encode(name),
                tokens.spell(name),
                tokens.encode(before.rstrip()) + tokens.spell(" " + name) + tokens.encode(after),
            ]
        return [way + [tokens.end_of_turn] for way in ways]


def summarise(cases: list[dict], right: list[bool]) -> dict[str, dict[str, float]]:
    """Cell, by fonts, by number of tiles, and by size of type: questions and the share of exact answers."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for case, ok in zip(cases, right):
        cell, fonts = case["cell"], case["fonts"]
        keys = [cell, f"{cell}, {fonts} fonts", f"{cell}, {fonts} fonts, {'one tile' if case['tiles'] == 1 else 'several tiles'}"]
        if "em" in case:
            keys.append(f"{cell}, {fonts} fonts, type {'below 15' if case['em'] < 15 else 'from 15'} px")
        for key in keys:
            counts[key][0] += 1
            counts[key][1] += ok
    return {key: {"questions": count, "exact": round(hits / count, 4)} for key, (count, hits) in sorted(counts.items())}


def ask_all(examiner: Examiner, cases: list[dict]) -> list[bool]:
    right = [False] * len(cases)
    examiner.look([turn["image"] for case in cases for turn in case["turns"] if "image" in turn])
    groups: dict[tuple, list[int]] = defaultdict(list)
    for index, case in enumerate(cases):
        groups[tuple(examiner.seen[turn["image"]].shape[0] for turn in case["turns"] if "image" in turn)].append(index)
    for group in groups.values():
        group.sort(key=lambda index: len(str(cases[index]["turns"])))
        for start in range(0, len(group), examiner.rows):
            part = group[start : start + examiner.rows]
            for index, ok in zip(part, examiner.right([cases[index] for index in part])):
                right[index] = ok
    return right


def ask(checkpoint: Path, questions: Path, device: str) -> dict[str, dict[str, float]]:
    """All held-out questions, summarised."""
    cases = json.loads((questions / "cases.json").read_text())
    return summarise(cases, ask_all(Examiner(checkpoint, questions, device), cases))


def show(summary: dict[str, dict[str, float]]) -> None:
    for key, value in summary.items():
        print(f"{key:45} {value['questions']:5} {100 * value['exact']:6.1f} %")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("set", type=Path)
    parser.add_argument("--cells", help="only these, separated by commas")
    parser.add_argument("--every", type=int, help="only every how manieth case", default=1)
    parser.add_argument("--wrong", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cases = json.loads((options.set / "cases.json").read_text())[:: options.every]
    if options.cells:
        cases = [case for case in cases if case["cell"] in options.cells.split(",")]
    examiner = Examiner(options.checkpoint, options.set, options.device)
    right = ask_all(examiner, cases)
    summary = summarise(cases, right)
    show(summary)
    if options.json:
        options.json.write_text(json.dumps(summary, indent=1) + "\n")
    if options.wrong:
        options.wrong.write_text(
            json.dumps(
                [{**case, "got": examiner.answer(case["turns"])} for case, ok in zip(cases, right) if not ok][:200],
                indent=0,
                ensure_ascii=False,
            )
        )


if __name__ == "__main__":
    main()
