"""Trains the demo model; stops at SIGTERM and resumes at any time.

    python train.py START_DIRECTORY RUN_DIRECTORY --minutes 120
    python train.py START_DIRECTORY RUN_DIRECTORY --round 8000

START_DIRECTORY: a checkpoint in the published layout, the shipped one for example. RUN_DIRECTORY gets state.pt, from which the
next call resumes, and log.jsonl. The learning rate falls along half a cosine to the end of `--minutes`, which counts
all calls of a run. With `--round` a call goes on to the end of the current round of as many steps, and in the next round the rate
begins at the top again.

Workers of one thread each train the same weights in turn, without waiting for each other: on cores that others use
too, threads that meet at every product of matrices would stand still most of the time. A GPU is taught by sprint.py.
"""

import argparse
import json
import math
import os
import random
import signal
import time
from collections import defaultdict
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

import dialogues
import pictures
from drawing import COLOUR_NAMES, KINDS
from looking import look_loss, look_weight
from losses import LABELS, answer_loss, auxiliary_loss, letter_loss
from model import Auxiliary, Model, Shape
from pictures import LINE_CLASSES, Picture
from tiles import normalise
from tokens import Tokens

# Scenes and how often each is drawn.
MIX = {"short": 16, "lines": 20, "labelled": 26, "dialog": 22, "bars": 6, "shapes": 6, "mixed": 4}
# By number of tiles: pictures of a step, and tokens of a row.
BATCH = {1: 12, 2: 8, 3: 6, 4: 6}
ROW = {1: 128, 2: 160, 3: 192, 4: 192}
# The heads of the last run, without which a resumed one would have to learn them again; export.py writes it.
AUXILIARY = Path(__file__).parent / "auxiliary.safetensors"
# Pages full of letters for steps in which only the encoder learns: grids of tiles, pictures of a step by number of tiles.
PAGES, PAGE_GRIDS, PAGE_BATCH = {"mixed": 1}, {(1, 1): 3, (1, 2): 1, (1, 4): 2, (2, 2): 6}, {1: 10, 2: 6, 4: 5}
# Type, in pixels of the tiles, of the pages that `--small` asks for: two and three letters a patch.
SMALL = (10.0, 12.5)
# Share of the batches in which some conversations turn to a second picture.
PAIRED = 0.12
# Steps in which the auxiliary heads learn alone, and how many steps of others make a gradient worthless.
HEAD_START, STALE = 150, 8
# Weight of a step in the running mean.
AVERAGE = 1 / 400


class Source:
    """Batches of pictures with as many tiles each."""

    def __init__(self, seed: int, tokens: Tokens, small: float = 0.0):
        self.rng, self.tokens, self.small = random.Random(seed), tokens, small
        self.waiting: dict[int, list[Picture]] = defaultdict(list)

    def batch(self) -> tuple[list[Picture], dict[str, torch.Tensor], list[list[str]], bool]:
        while True:
            picture = pictures.draw(self.rng, MIX, evaluation=False, unseen_fonts=False)
            queue = self.waiting[len(picture.tiles)]
            queue.append(picture)
            if len(queue) == BATCH[len(picture.tiles)]:
                break
        self.waiting[len(picture.tiles)] = []
        paired = self.rng.random() < PAIRED
        rows = []
        for index, picture in enumerate(queue):
            second = queue[(index + 1) % len(queue)].questions if paired else None
            rows.append(dialogues.fill_row(self.rng, self.tokens, ROW[len(picture.tiles)], picture.questions, second))
        arrays = [row.arrays(self.tokens.padding) for row in rows]
        stacked = {name: torch.from_numpy(np.stack([array[name] for array in arrays])) for name in arrays[0]}
        return queue, stacked, [row.tasks for row in rows], paired

    def pages(self) -> list[Picture]:
        grid = self.rng.choices(list(PAGE_GRIDS), list(PAGE_GRIDS.values()))[0]
        found: list[Picture] = []
        while len(found) < PAGE_BATCH[grid[0] * grid[1]]:
            type_size = SMALL if self.small and self.rng.random() < self.small else None
            picture = pictures.draw(self.rng, PAGES, evaluation=False, unseen_fonts=False, grids={grid: 1}, type_size=type_size)
            if not found or len(picture.tiles) == len(found[0].tiles):
                found.append(picture)
        return found


def tiles_and_ratios(batch: list[Picture]) -> tuple[torch.Tensor, torch.Tensor]:
    """What the encoder takes."""
    return torch.from_numpy(normalise(np.stack([picture.tiles for picture in batch]))), torch.tensor([picture.ratio for picture in batch])


def look(model: Model, batch: list[Picture], paired: bool) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Features, and what each row's cross-attention may see: its own picture and, where paired, the next one."""
    features, seen = model.see(*tiles_and_ratios(batch))
    return features, [seen, seen.roll(-1, 0)] if paired else [seen]


def patch_labels(batch: list[Picture]) -> dict[str, torch.Tensor]:
    """For losses.py: what lies in each patch, tiles of all pictures one after the other."""
    return {name: torch.from_numpy(np.concatenate([getattr(picture, name) for picture in batch])).flatten(0, 1) for name in LABELS}


def exact(right: torch.Tensor, answers: torch.Tensor, tasks: list[list[str]]) -> list[tuple[str, bool]]:
    """Task and success of every answer. All tokens right behind a right prefix is what greedy decoding would write."""
    right, answers, result = right.cpu(), answers.cpu(), []
    for row, names in enumerate(tasks):
        for number, name in enumerate(names):
            result.append((name, bool(right[row][answers[row] == number].all())))
    return result


class Run:
    """What the workers share: weights, the optimizer's state and the counts lie in shared memory."""

    def __init__(self, start: Path, directory: Path):
        directory.mkdir(parents=True, exist_ok=True)
        for unfinished in directory.glob("state.*.new"):
            unfinished.unlink()
        self.directory, self.process = directory, os.getpid()
        self.tokens = Tokens(start)
        self.model = Model.load(start)
        self.auxiliary = Auxiliary(Shape.read(start), len(KINDS), len(COLOUR_NAMES) + 1, LINE_CLASSES)
        if AUXILIARY.exists():
            self.auxiliary.load_state_dict({name: tensor.float() for name, tensor in load_file(AUXILIARY).items()})
        every = [*self.model.parameters(), *self.auxiliary.parameters()]
        decayed, plain = [p for p in every if p.ndim > 1], [p for p in every if p.ndim <= 1]
        self.parameters = decayed + plain
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.03}, {"params": plain, "weight_decay": 0.0}], lr=0.0, betas=(0.9, 0.98), fused=True
        )
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()
        # A running mean of the weights: what is exported.
        self.average = Model(self.model.shape)
        # Seconds, steps, pictures, questions.
        self.counts = torch.zeros(4, dtype=torch.float64)
        state = {}
        if (directory / "state.pt").exists():
            state = torch.load(directory / "state.pt", map_location="cpu", weights_only=True)
            self.model.load_state_dict(state["model"])
            self.auxiliary.load_state_dict(state["auxiliary"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.counts.copy_(state["counts"])
        self.average.load_state_dict(state["average"] if "average" in state else self.model.state_dict())
        self.optimizer.zero_grad(set_to_none=True)
        self.model.share_memory()
        self.average.share_memory()
        self.auxiliary.share_memory()
        self.counts.share_memory_()
        for state in self.optimizer.state.values():
            for value in state.values():
                value.share_memory_()
        self.stop = torch.zeros(1).share_memory_()
        self.lock = torch.multiprocessing.get_context("fork").Lock()

    @torch.no_grad()
    def blend(self, share: float) -> None:
        torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), share)

    def save(self) -> None:
        with self.lock:
            state = {
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "auxiliary": self.auxiliary.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "counts": self.counts,
            }
            write_whole(state, self.directory / "state.pt")


def write_whole(state: dict, path: Path) -> None:
    """Whenever this is killed, `path` holds either what it held before or all of the new state."""
    # Named after the process: one that outlives a killed run may write at the same time as the next run.
    unfinished = path.with_suffix(f".{os.getpid()}.new")
    with unfinished.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


@dataclass
class Span:
    """Over which the learning rate falls: all of `--minutes`, or one `--round`."""

    counted: int  # which of Run.counts
    begin: float
    end: float

    @staticmethod
    def of(counts: torch.Tensor, options: argparse.Namespace) -> "Span":
        if not options.round:
            return Span(0, 0.0, options.minutes * 60)
        begin = counts[1].item() // options.round * options.round
        return Span(1, begin, begin + options.round)

    def left(self, counts: torch.Tensor) -> float:
        """From 1 down to 0, and below once the end is passed."""
        return (self.end - counts[self.counted].item()) / (self.end - self.begin)


def work(run: Run, number: int, options: argparse.Namespace, span: Span) -> None:
    """One worker: its own pictures and gradients, the common weights. Gradients that came too late are dropped."""
    base, first = run.counts[0].item(), run.counts[1].item()
    source = Source(int(first) * 16 + number, run.tokens, options.small)
    log = (run.directory / "log.jsonl").open("a")
    began = saved = time.monotonic()
    totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    own = dropped = 0
    # A worker whose first process was killed has a new parent.
    while span.left(run.counts) > 0 and not run.stop.item() and run.process in (os.getpid(), os.getppid()):
        started = time.monotonic()
        step = run.counts[1].item()
        only_letters = source.rng.random() < options.perception
        if only_letters:
            batch, answered = source.pages(), []
            rendered = time.monotonic()
            features = run.model.vision_model(*tiles_and_ratios(batch))
            loss, letters = letter_loss(run.auxiliary(features[:, :, 1:].flatten(0, 2))[0], patch_labels(batch)["characters"])
        else:
            batch, rows, tasks, paired = source.batch()
            rendered = time.monotonic()
            features, seen = look(run.model, batch, paired)
            # The new heads learn first what the features already tell.
            of_patches, letters = auxiliary_loss(
                run.auxiliary, features if step >= HEAD_START else features.detach(), patch_labels(batch), options.letters
            )
            watched: list[torch.Tensor] = []
            of_answers, right = answer_loss(run.model, rows, seen, watched)
            of_looks, looked = look_loss(watched, rows["looks"], rows["sees"], seen[0].shape[1])
            coefficient = options.looking * look_weight(span.left(run.counts))
            loss = of_answers + 0.5 * of_patches + coefficient * of_looks
            answered = exact(right, rows["answers"], tasks)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(run.parameters, 1.0)
        with run.lock:
            if torch.isfinite(norm) and run.counts[1].item() - step <= STALE:
                left = span.left(run.counts)
                pace = options.rate * min(1.0, (step - first + 1) / options.warm_up) * max(0.02, 0.5 - 0.5 * math.cos(math.pi * left))
                for group in run.optimizer.param_groups:
                    group["lr"] = pace
                run.optimizer.step()
                run.blend(max(AVERAGE, 1 / (1 + step - first)))
            else:
                dropped += 1
            run.counts += torch.tensor([0, 1, len(batch), len(answered)])
            run.counts[0] = base + time.monotonic() - began
        own += 1
        tiles = len(batch[0].tiles)
        for name, ok in answered:
            for key in (name, f"{name}/{'1' if tiles == 1 else 'n'}"):
                totals[key][0] += ok
                totals[key][1] += 1
        kind = "page" if only_letters else "ask"
        if not only_letters:
            totals["=ask looks"][0] += looked
            totals["=ask looks"][1] += 1
            totals["=ask answer loss"][0] += of_answers.item()
            totals["=ask answer loss"][1] += 1
        figures = {
            "letters": letters.item(),
            f"letters/{tiles}": letters.item(),
            "loss": loss.item(),
            "render": rendered - started,
            "norm": norm.item(),
            "speed": len(batch) / (time.monotonic() - started),
        }
        for key, value in figures.items():
            totals[f"={kind} {key}"][0] += value
            totals[f"={kind} {key}"][1] += 1
        if own % 60 == 0:
            means = {key: round(total / count, 3) for key, (total, count) in sorted(totals.items())}
            seconds, steps, drawn, asked = run.counts.tolist()
            log.write(
                json.dumps(
                    {
                        "worker": number,
                        "step": int(steps),
                        "minutes": round(seconds / 60, 1),
                        "pictures": int(drawn),
                        "questions": int(asked),
                        "rate": pace,
                        "dropped": dropped,
                        **means,
                    }
                )
                + "\n"
            )
            log.flush()
            totals.clear()
        if number == 0 and time.monotonic() - saved > 120:
            run.save()
            saved = time.monotonic()


def work_apart(run: Run, number: int, options: argparse.Namespace, span: Span) -> None:
    """As a process of its own, which the first one tells to stop."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    torch.set_num_threads(1)
    work(run, number, options, span)


def train(options: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    run = Run(options.start, options.run)
    span = Span.of(run.counts, options)
    signal.signal(signal.SIGTERM, lambda *_: run.stop.fill_(1))
    context = torch.multiprocessing.get_context("fork")
    workers = [context.Process(target=work_apart, args=(run, number, options, span)) for number in range(options.workers)]
    for worker in workers:
        worker.start()
    watch(workers)
    run.save()


def watch(workers: list) -> None:
    """Until all have ended. Where one was killed, the others may wait for its lock for ever, and the weights are half of a step."""
    running = list(workers)
    while running:
        wait([worker.sentinel for worker in running])
        if any(worker.exitcode for worker in running if not worker.is_alive()):
            for worker in workers:
                worker.kill()
            raise SystemExit("A worker failed; nothing was saved. The next call goes on from the last save.")
        running = [worker for worker in running if worker.is_alive()]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("start", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--round", type=int, default=0, help="steps; takes the place of --minutes")
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--warm-up", type=int, default=150, help="steps")
    parser.add_argument(
        "--perception", type=float, default=0.0, help="share of steps on pages full of letters, in which only the encoder learns"
    )
    parser.add_argument("--small", type=float, default=0.0, help="share of those pages that are set in small type; see README.md")
    parser.add_argument("--letters", type=float, default=1.0, help="weight of the loss on the letters of each patch; see README.md")
    parser.add_argument("--looking", type=float, default=0.0, help="weight of the loss on where the cross-attention looks; see README.md")
    parser.add_argument("--workers", type=int, default=2)
    train(parser.parse_args())
