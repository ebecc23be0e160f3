"""Trains for some minutes on a GPU, exports and evaluates; the next call goes on where the last one stopped.

    python sprint.py START RUN --minutes 9.5 --finish --questions HELD_OUT

START: a checkpoint in the published layout, grow.py's for example. RUN gets state.pt, log.jsonl, and checkpoint/, the model as it would be
shipped with its heads and, where --questions names a folder of evaluation_set.py, eval.json. --minutes is for everything: starting,
training, saving, exporting and --reserve seconds for the questions.

The learning rate stays at --rate, and with --finish it falls to zero over the last third of the call: a run may take several calls, of which
the last finishes. With --steps in place of the minutes a run is that many steps, the last third of them falling, and the same
weights come out bit for bit on the CPU, however often it was killed.

Processes draw (pool.py) while one computes: in bfloat16 where the device is a GPU, as what is shipped is. What is learned is added up in float32.
SIGTERM saves and ends.
"""

import argparse
import copy
import gc
import json
import math
import os
import queue
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

import evaluate
from batches import LABELS, TASKS, Kind, Plan, bytes_of, size
from dialogues import Row
from drawing import COLOUR_NAMES, KINDS
from export import export
from losses import answer_loss, auxiliary_loss, letter_loss
from model import Auxiliary, Model, Shape
from pictures import LINE_CLASSES
from pool import Pool
from tiles import MEAN, STD
from train import AUXILIARY, write_whole

# Part of a run over which the rate falls, steps of a report, weight of a step in the running mean of the weights.
FALL, REPORT, AVERAGE = 0.35, 25, 1 / 400
# Batches on their way to the GPU.
STAGES = 3


class Device:
    """Where the weights lie. `half`: computes in bfloat16, as a GPU does; on the CPU only tests want that."""

    def __init__(self, name: str, half: bool | None = None):
        self.name = torch.device(name)
        self.gpu = self.name.type == "cuda"
        self.half = self.gpu if half is None else half
        self.type = torch.bfloat16 if self.half else torch.float32
        self.mean, self.std = (torch.tensor(each, device=self.name).view(3, 1, 1) for each in (MEAN, STD))
        if self.gpu:
            # It plans anew, for seconds, for each of our shapes.
            torch.backends.cuda.enable_cudnn_sdp(False)

    def pixels(self, tiles: torch.Tensor) -> torch.Tensor:
        """Bytes [..., tile, tile, 3] as the model expects them; see tiles.normalise."""
        return ((tiles.movedim(-1, -3).float() / 255 - self.mean) / self.std).to(self.type)


class Feed:
    """Brings the batches of a pool to the device. A thread copies the next ones to memory that a GPU reads while it computes."""

    def __init__(self, pool: Pool, device: Device):
        self.pool, self.device = pool, device
        self.free: queue.SimpleQueue[tuple[torch.Tensor, torch.cuda.Event | None]] = queue.SimpleQueue()
        self.ready: queue.SimpleQueue[tuple[Kind, torch.Tensor, torch.cuda.Event | None] | BaseException] = queue.SimpleQueue()
        for _ in range(STAGES):
            stage = torch.empty(pool.slot_bytes, dtype=torch.uint8, pin_memory=device.gpu)
            self.free.put((stage, None))
        threading.Thread(target=self.copy, daemon=True).start()

    def copy(self) -> None:
        try:
            while True:
                stage, copied = self.free.get()
                if copied:
                    copied.synchronize()
                kind, memory = self.pool.take()
                count = bytes_of(self.pool.plan, kind)
                stage[:count].copy_(torch.frombuffer(memory, dtype=torch.uint8, count=count))
                self.ready.put((kind, stage, torch.cuda.Event() if self.device.gpu else None))
        except BaseException as error:
            self.ready.put(error)

    def take(self) -> tuple[Kind, dict[str, torch.Tensor]]:
        item = self.ready.get()
        if isinstance(item, BaseException):
            raise item
        kind, stage, copied = item
        plan = self.pool.plan
        memory = stage[: bytes_of(plan, kind)].to(self.device.name, non_blocking=True, copy=True)
        if copied:
            copied.record()
        self.free.put((stage, copied))
        return kind, views(plan.layout(kind), memory)


def views(layout: dict[str, tuple[tuple[int, ...], type]], memory: torch.Tensor) -> dict[str, torch.Tensor]:
    """As batches.place, of a tensor of bytes on any device."""
    arrays, begin = {}, 0
    for name, (shape, type_) in layout.items():
        count = math.prod(shape) * np.dtype(type_).itemsize
        arrays[name] = memory[begin : begin + count].view(getattr(torch, type_.__name__)).view(shape)
        begin += size(shape, type_)
    return arrays


class State:
    """All that a run consists of."""

    def __init__(self, start: Path, directory: Path, plan: Plan, device: Device):
        directory.mkdir(parents=True, exist_ok=True)
        for unfinished in directory.glob("state.*.new"):
            unfinished.unlink()
        self.path, self.plan = directory / "state.pt", plan
        self.model = Model.load(start).to(device.name)
        self.auxiliary = Auxiliary(Shape.read(start), len(KINDS), len(COLOUR_NAMES) + 1, LINE_CLASSES)
        own = start / "auxiliary.safetensors"
        self.auxiliary.load_state_dict({name: tensor.float() for name, tensor in load_file(own if own.exists() else AUXILIARY).items()})
        self.auxiliary.to(device.name)
        # What computes: the same, or copies in bfloat16, which is what is exported too.
        both = (self.model, self.auxiliary)
        self.working = tuple(copy.deepcopy(each).to(device.type) for each in both) if device.half else both
        every, worked = ([p for each in modules for p in each.parameters()] for modules in (both, self.working))
        groups = [[p for p in every if p.ndim > 1], [p for p in every if p.ndim <= 1]]
        self.parameters, self.worked = every, worked
        self.gradients = [torch.empty_like(parameter) for parameter in every] if device.half else []
        self.optimizer = torch.optim.AdamW(
            [{"params": group, "weight_decay": decay} for group, decay in zip(groups, (0.03, 0.0))], lr=0.0, betas=(0.9, 0.98), fused=True
        )
        self.average = Model(self.model.shape).to(device.name)
        self.average.load_state_dict(self.model.state_dict())
        # Steps, pictures, seconds of training; the steps at which the rate begins to fall and reaches zero, once that is known.
        self.counts: dict[str, float] = {"step": 0, "pictures": 0, "seconds": 0.0}
        self.fall: list[int] = []
        if self.path.exists():
            self.load(device)
        # Of 1, and the optimizer leaves everything as it is: a step whose gradients are no numbers is lost, not the run.
        self.optimizer.found_inf = torch.zeros((), device=device.name)
        self.refresh()

    @torch.no_grad()
    def refresh(self) -> None:
        """The working weights, from those that have learned."""
        if self.worked[0] is not self.parameters[0]:
            torch._foreach_copy_(self.worked, self.parameters)

    @torch.no_grad()
    def gather(self) -> None:
        """The gradients, from those of the working weights. Pages give none to what writes."""
        if self.worked[0] is self.parameters[0]:
            return
        for parameter, working, gradient in zip(self.parameters, self.worked, self.gradients):
            parameter.grad = None if working.grad is None else gradient
        learned = [working.grad for working in self.worked if working.grad is not None]
        torch._foreach_copy_([parameter.grad for parameter in self.parameters if parameter.grad is not None], learned)

    @property
    def drawn_by(self) -> dict:
        """What a batch depends on, beside its number."""
        return {name: getattr(self.plan, name) for name in ("tile", "tiles", "pages", "seed")}

    def load(self, device: Device) -> None:
        state = torch.load(self.path, map_location=device.name, weights_only=True)
        if state["drawn_by"] != self.drawn_by:
            raise SystemExit(
                f"{self.path} was trained with {state['drawn_by']}, and this call says {self.drawn_by}. "
                "Say the same, or name another folder for the run."
            )
        for name in ("model", "average", "auxiliary", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.counts, self.fall = state["counts"], state["fall"]

    def save(self) -> None:
        state = {name: getattr(self, name).state_dict() for name in ("model", "average", "auxiliary", "optimizer")}
        write_whole({**state, "counts": self.counts, "fall": self.fall, "drawn_by": self.drawn_by}, self.path)


def share_of_rate(step: int, warm_up: int, fall: list[int]) -> float:
    """1 but for the first steps and, once it is known, the fall to zero at the end."""
    share = min(1.0, (step + 1) / warm_up)
    return share if not fall else share * max(0.0, min(1.0, (fall[1] - step) / (fall[1] - fall[0])))


@dataclass
class Losses:
    total: torch.Tensor
    letters: torch.Tensor  # share read right
    answers: torch.Tensor | None  # [tasks, 2], see exact_by_task; of pages nothing is asked


def losses_of(
    model: Model, auxiliary: Auxiliary, device: Device, kind: Kind, arrays: dict[str, torch.Tensor], weight_of_letters: float
) -> Losses:
    labels = {name: arrays[name].long().flatten(0, 2) for name in LABELS if name in arrays}
    pixels, ratios = device.pixels(arrays["pixels"]), arrays["ratios"].long()
    if kind.pages:
        features = model.vision_model(pixels, ratios)
        return Losses(*letter_loss(auxiliary(features[:, :, 1:].flatten(0, 2))[0], labels["characters"]), None)
    features, seen = model.see(pixels, ratios)
    rows = {name: arrays[name].long() for name in Row.ARRAYS}
    of_patches, letters = auxiliary_loss(auxiliary, features, labels, weight_of_letters)
    of_answers, right = answer_loss(model, rows, [seen, seen.roll(-1, 0)] if kind.paired else [seen])
    return Losses(of_answers + 0.5 * of_patches, letters, exact_by_task(right, rows["answers"], arrays["tasks"].long()))


def learn(state: State, device: Device, kind: Kind, arrays: dict[str, torch.Tensor], options: argparse.Namespace) -> torch.Tensor:
    """One step. Returns what reports add up, without waiting for the device: see FIGURES."""
    losses = losses_of(*state.working, device, kind, arrays, options.letters)
    losses.total.backward()
    state.gather()
    norm = torch.nn.utils.clip_grad_norm_(state.parameters, 1.0)
    finite = torch.isfinite(norm)
    state.optimizer.found_inf.copy_(~finite)
    for group in state.optimizer.param_groups:
        group["lr"] = options.rate * share_of_rate(state.counts["step"], options.warm_up, state.fall)
    state.optimizer.step()
    state.refresh()
    for parameter in state.worked:
        parameter.grad = None
    with torch.no_grad():
        share = max(AVERAGE, 1 / (1 + state.counts["step"]))
        torch._foreach_lerp_(list(state.average.parameters()), list(state.model.parameters()), share)
        figures = torch.zeros(len(FIGURES), 2, device=device.name)
        figures[0, 0], figures[0, 1] = losses.total.detach().where(finite, 0), finite
        at = FIGURES.index("letters on pages" if kind.pages else "letters")
        figures[at, 0], figures[at, 1] = losses.letters, 1
        if losses.answers is not None:
            figures[len(FIGURES) - len(TASKS) :] = losses.answers
    return figures


# What reports show: each as a sum and how many were added.
FIGURES = ["loss", "letters", "letters on pages", *TASKS]


def exact_by_task(right: torch.Tensor, answers: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
    """[tasks, 2]: answers whose every token is right, and all answers. right, answers [rows, length]; tasks [rows, answers], -1 for none."""
    wrong = torch.zeros_like(tasks).scatter_add_(1, answers.clamp(min=0), (~right & (answers >= 0)).long())
    asked = torch.nn.functional.one_hot(tasks.clamp(min=0), len(TASKS)) * (tasks >= 0)[..., None]
    return torch.stack([(asked * (wrong == 0)[..., None]).sum((0, 1)), asked.sum((0, 1))], -1).float()


def age() -> float:
    """Seconds since this process began: PyTorch takes some to be imported."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(") ")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


class Sprint:
    def __init__(self, options: argparse.Namespace):
        self.options, self.began = options, time.monotonic() - age()
        tile = Shape.read(options.start).tile
        plan = Plan(options.start, tile, options.tiles, options.perception, options.seed)
        unsaved = options.run / "state.pt"
        # The processes are forked before anything begins with CUDA.
        first = torch.load(unsaved, map_location="cpu", weights_only=True)["counts"]["step"] if unsaved.exists() else 0
        self.pool = Pool(plan, options.workers, int(first))
        self.device = Device(options.device)
        self.state = State(options.start, options.run, plan, self.device)
        self.before = self.state.counts["seconds"]
        self.feed = Feed(self.pool, self.device)
        self.stopping, self.fell = False, None
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_: object) -> None:
        self.stopping = True

    def left(self) -> float:
        """Seconds for training."""
        return self.options.minutes * 60 - self.options.reserve - (time.monotonic() - self.began)

    def plan_fall(self, trained: float) -> None:
        """From when it is known how long this call trains, and how fast: kept in the state, for a call that goes on when this one is killed."""
        step, fall = int(self.state.counts["step"]), self.state.fall
        if self.options.steps:
            self.state.fall = [round((1 - FALL) * self.options.steps), self.options.steps]
        elif self.options.finish and not fall and trained >= (1 - FALL) * (trained + self.left()):
            self.state.fall = [step, step + max(1, int((step - self.first) / trained * self.left()))]
            self.fell = trained
        elif self.fell is not None and step % REPORT == 0 and step > fall[0]:
            # By the speed since then: the first steps of a call are slow, and the last ones must not be cut off.
            speed = (step - fall[0]) / (trained - self.fell)
            self.state.fall = [fall[0], max(step + 1, step + int(speed * self.left()))]

    def train(self) -> None:
        state, options = self.state, self.options
        if state.fall and state.counts["step"] >= state.fall[1] and not options.steps:
            # A finished run that is called again is one that goes on, at the full rate.
            state.fall = []
        gc.freeze()
        began = saved = reported = time.monotonic()
        self.first, waited, since = int(state.counts["step"]), 0.0, int(state.counts["pictures"])
        totals = torch.zeros(len(FIGURES), 2, device=self.device.name)
        while not self.stopping and self.left() > 0:
            self.plan_fall(time.monotonic() - began)
            if state.fall and state.counts["step"] >= state.fall[1] and self.fell is None:
                break
            if options.profile and state.counts["step"] == self.first + REPORT:
                self.profile()
            before = time.monotonic()
            kind, arrays = self.feed.take()
            waited += time.monotonic() - before
            totals += learn(state, self.device, kind, arrays, options)
            state.counts["step"] += 1
            state.counts["pictures"] += len(arrays["ratios"])
            state.counts["seconds"] = self.before + time.monotonic() - began
            if state.counts["step"] % REPORT == 0:
                span, now = time.monotonic() - reported, time.monotonic()
                self.report(totals, (state.counts["pictures"] - since) / span, waited / span)
                reported, since, waited = now, state.counts["pictures"], 0.0
                totals.zero_()
                if now - saved > options.save:
                    state.save()
                    saved = now
        state.save()

    def profile(self) -> None:
        """Prints where the time of some steps goes. They are taught as all others are, but not counted as such."""
        from torch.profiler import ProfilerActivity, profile

        activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if self.device.gpu else [])]
        with profile(activities=activities) as profiled:
            for _ in range(self.options.profile):
                learn(self.state, self.device, *self.feed.take(), self.options)
            if self.device.gpu:
                torch.cuda.synchronize()
        averages = profiled.key_averages()
        order = "self_device_time_total" if self.device.gpu else "self_cpu_time_total"
        launches = sum(each.count for each in averages if "LaunchKernel" in each.key) / self.options.profile
        print(
            averages.table(sort_by=order, row_limit=25, max_name_column_width=70),
            f"{launches:.0f} kernels started a step",
            sep="\n",
            flush=True,
        )

    def rescue(self) -> None:
        """After a failure: what was learned until then, or until the last save, as a checkpoint."""
        if all(bool(parameter.isfinite().all()) for parameter in self.state.parameters):
            self.state.save()

    def report(self, totals: torch.Tensor, speed: float, waited: float) -> None:
        """Also the one place that waits for the device, and that finds out whether it still learns."""
        sums = totals.tolist()
        if not sums[0][1]:
            raise SystemExit(f"In {REPORT} steps the gradients were no numbers; nothing was learned from them. Go on with a lower --rate.")
        figures = {name: round(total / count, 4) for name, (total, count) in zip(FIGURES, sums) if count}
        counts = {name: round(value, 1) for name, value in self.state.counts.items()}
        rate = self.options.rate * share_of_rate(int(self.state.counts["step"]), self.options.warm_up, self.state.fall)
        entry = {**counts, "rate": rate, "pictures a second": round(speed), "waited for pictures": round(waited, 3), **figures}
        with (self.options.run / "log.jsonl").open("a") as log:
            log.write(json.dumps(entry) + "\n")
        print(json.dumps(entry), flush=True)

    def export(self) -> None:
        out = self.options.run / "checkpoint"
        export(self.options.start, self.options.run, out, out / "auxiliary.safetensors")
        if self.options.questions and not self.stopping:
            summary = evaluate.ask(out, self.options.questions, device=str(self.device.name))
            (out / "eval.json").write_text(json.dumps(summary, indent=1) + "\n")
            evaluate.show(summary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, default=9.5, help="for all that this call does")
    parser.add_argument("--steps", type=int, default=0, help="of the whole run, in place of --finish; the minutes still end a call")
    parser.add_argument("--finish", action="store_true", help="the rate falls to zero by the end of this call")
    parser.add_argument(
        "--reserve", type=float, default=60, help="seconds for saving and exporting, of which 15 are enough, and the questions"
    )
    parser.add_argument("--save", type=float, default=60, help="seconds between saves; they are written with the report of a step")
    parser.add_argument("--questions", type=Path, help="folder of evaluation_set.py, asked at the end")
    parser.add_argument("--device", default="cuda", help="or cpu, to try it out")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1), help="processes that draw")
    parser.add_argument("--tiles", type=int, default=256, help="of a step")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--warm-up", type=int, default=200, help="steps")
    parser.add_argument("--perception", type=float, default=0.2, help="share of steps on pages full of letters, for the encoder alone")
    parser.add_argument("--letters", type=float, default=1.0, help="weight of the loss on the letters of each patch")
    parser.add_argument("--profile", type=int, default=0, help="steps of which to print where their time goes, after the first report")
    parser.add_argument("--seed", type=int, default=1)
    torch.set_num_threads(1)
    sprint = Sprint(parser.parse_args())
    try:
        try:
            sprint.train()
        except BaseException:
            sprint.stopping = True
            try:
                sprint.rescue()
            finally:
                if sprint.state.path.exists():
                    sprint.export()
            raise
        sprint.export()
    finally:
        sprint.pool.close()


if __name__ == "__main__":
    main()
