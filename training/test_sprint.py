"""The second configuration and its training, on the CPU. Needs what requirements.txt lists, and the fonts:

/opt/loupe-training-venv/bin/python training/test_sprint.py
"""

import argparse
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import unittest
import warnings
from dataclasses import replace
from pathlib import Path
from unittest import mock

try:
    import torch
except ImportError:
    print("SKIPPED: PyTorch is not installed for this Python; training/README.md says how to install it.", file=sys.stderr)
    sys.exit(0)

import fonts

if any(not Path(path).exists() for paths in fonts.paths(False).values() for path in paths):
    print("SKIPPED: fonts are missing; training/README.md lists their packages.", file=sys.stderr)
    sys.exit(0)

import numpy as np
from torch._subclasses.fake_tensor import FakeTensorMode

import batches
import pictures
import sprint
from drawing import COLOUR_NAMES, KINDS
from grow import grow
from model import Auxiliary, Model, Padding, Shape
from pool import Pool
from strings import Strings
from tile_grid import arrange
from tiles import cut
from tokens import Tokens
from train import tiles_and_ratios

HERE = Path(__file__).parent
CHECKPOINT = HERE.parent / "resources" / "demo-model"
LINES = {"lines": 1, "labelled": 1}


def draw(tile: int, grid: tuple[int, int], seed: int) -> pictures.Picture:
    """One that fills this grid of tiles."""
    rng = random.Random(seed)
    while True:
        picture = pictures.draw(rng, LINES, False, False, {grid: 1}, tile)
        if len(picture.tiles) == grid[0] * grid[1]:
            return picture


class Grown(unittest.TestCase):
    def setUp(self):
        torch.set_num_threads(1)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.out = Path(self.folder.name)

    @torch.no_grad()
    def test_deeper_and_wider_it_sees_as_before(self):
        grow(CHECKPOINT, self.out, 112, 10, 1024)
        before, after = Model.load(CHECKPOINT), Model.load(self.out)
        self.assertEqual((after.shape.local_layers, after.shape.vision_mlp, after.shape.features_at), (10, 1024, (5, 7)))
        for seed, grid in enumerate([(1, 1), (1, 2), (2, 2)]):
            seen = tiles_and_ratios([draw(112, grid, seed)])
            expected = before.see(*seen)[1]
            self.assertLess((after.see(*seen)[1] - expected).norm() / expected.norm(), 1e-5)

    @torch.no_grad()
    def test_a_large_tile_begins_as_two_by_two_small_ones(self):
        """What the first layer gets for each patch; four places of each class token in the old one are one in the new."""
        grow(CHECKPOINT, self.out, 224, 10, 1024)
        image = draw(112, (2, 2), 5).image.resize((224, 224))
        got = {}
        for name, directory in (("before", CHECKPOINT), ("after", self.out)):
            model = Model.load(directory)
            tiles, ratio, _ = cut(image, model.shape.tile)
            side, arrangement = model.shape.tile // 14, model.shape.ratios[ratio - 1]
            first = []
            model.vision_model.layernorm_pre.register_forward_hook(lambda _, inputs, __, first=first: first.append(inputs[0]))
            picture = pictures.Picture(image, tiles, ratio, [], *[np.zeros(0)] * 4, "", 0.0)
            model.vision_model(*tiles_and_ratios([picture]))
            patches = first[0][0, :, 1:].view(*arrangement, side, side, -1).transpose(1, 2)
            got[name] = patches.reshape(16, 16, -1)
        # Positions are stored in bfloat16 once more.
        self.assertLess((got["after"] - got["before"]).norm() / got["before"].norm(), 5e-3)

    def test_the_second_configuration_is_as_large_as_may_be_shipped(self):
        count = grow(CHECKPOINT, self.out, 224, 10, 1024)
        self.assertEqual(count, sum(parameter.numel() for parameter in Model(Shape.read(self.out)).parameters()))
        self.assertTrue(10e6 <= count <= 12e6)
        self.assertLessEqual((self.out / "model.safetensors").stat().st_size, 24_000_000)

    def test_what_cannot_be_grown_is_named(self):
        with self.assertRaisesRegex(SystemExit, "tiles of 112, 4 layers"):
            grow(CHECKPOINT, self.out, 336, 10, 1024)
        self.assertEqual(list(self.out.iterdir()), [])

    def test_a_capture_of_448_is_legible_at_its_own_size(self):
        self.assertEqual(arrange(448, 448, 224)[1:], ((2, 2), (448, 448)))


class Drawn(unittest.TestCase):
    plan = batches.Plan(CHECKPOINT, 112, 8, 0.3, 7)

    def test_processes_draw_what_one_draws(self):
        tokens = Tokens(CHECKPOINT)
        alone = [batches.make(self.plan, tokens, number) for number in range(8)]
        self.assertEqual({kind.pages for kind, _ in alone}, {True, False})
        for workers, first in ((1, 0), (3, 0), (2, 3)):
            pool = Pool(self.plan, workers, first)
            self.addCleanup(pool.close)
            for kind, arrays in alone[first:]:
                drawn_kind, memory = pool.take()
                self.assertEqual(drawn_kind, kind)
                drawn = batches.place(self.plan, kind, memory)
                self.assertEqual(set(drawn), set(arrays))
                for name, array in arrays.items():
                    np.testing.assert_array_equal(drawn[name], array)

    def test_numbers_fit_their_types(self):
        tokens = Tokens(CHECKPOINT)
        self.assertLess(tokens.padding, 2**15)
        rng = random.Random(1)
        picture = pictures.draw(rng, {"mixed": 1}, False, False, {(2, 2): 1}, 224)
        for name in batches.LABELS:
            array = getattr(picture, name)
            np.testing.assert_array_equal(array.astype(np.int8), array)

    def test_lengths_by_pairs_are_those_of_the_font(self):
        strings, kerned = Strings(random.Random(4), False), False
        for held_out in (False, True):
            for path in itertools.chain.from_iterable(fonts.files(held_out).values()):
                text = strings.line(30) + "AVATAR, To. LT'Yo"
                for font in (fonts.load(path, size) for size in (9, 17, 34)):
                    sums = list(itertools.accumulate(fonts.steps(font, text)))
                    self.assertEqual(sums, [font.getlength(text[: end + 1]) for end in range(len(text))], path)
                kerned |= fonts.spacing(font)[1] is not None
        self.assertTrue(kerned, "no font has kerning")

    def test_packed_fonts_and_words_draw_the_same(self):
        code = "import hashlib, random, pictures; print(hashlib.sha256(pictures.draw(random.Random(2), {'lines': 1}, False, False).image.tobytes()).hexdigest())"
        with tempfile.TemporaryDirectory() as folder:
            fonts.pack(Path(folder))
            seen = [
                subprocess.run([sys.executable, "-c", code], cwd=HERE, env={**os.environ, **more}, capture_output=True, check=True).stdout
                for more in ({}, {"LOUPE_TRAINING_FILES": folder})
            ]
        self.assertEqual(seen[0], seen[1])

    def test_pictures_do_not_depend_on_the_process(self):
        """Python's sets are in another order in each."""
        code = (
            "import hashlib, random, pictures; rng, h = random.Random(2), hashlib.sha256()\n"
            "for _ in range(60): h.update(pictures.draw(rng, {'bars': 1, 'dialog': 1, 'shapes': 1}, False, False).image.tobytes())\n"
            "print(h.hexdigest())"
        )
        seen = {
            subprocess.run([sys.executable, "-c", code], cwd=HERE, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True).stdout
            for seed in ("1", "2", "3")
        }
        self.assertEqual(len(seen), 1)

    def test_a_process_that_fails_is_said(self):
        plan = batches.Plan(CHECKPOINT / "missing", 112, 8, 0.3, 7)
        pool = Pool(plan, 1)
        self.addCleanup(pool.close)
        with self.assertRaisesRegex(SystemExit, "has ended with 1"):
            pool.take()


class Counted(unittest.TestCase):
    def test_answers_are_counted_by_their_task(self):
        short, bars = batches.TASKS.index("short"), batches.TASKS.index("bars")
        answers = torch.tensor([[-1, 0, 0, -1, 1, 1], [0, 0, -1, -1, -1, -1]])
        right = torch.tensor([[True, True, True, False, True, False], [True, True, True, True, True, True]])
        counted = sprint.exact_by_task(right, answers, torch.tensor([[short, bars, -1], [short, -1, -1]]))
        self.assertEqual(counted[short].tolist(), [2, 2])
        self.assertEqual(counted[bars].tolist(), [0, 1])
        self.assertEqual(counted.sum(0).tolist(), [2, 3])

    def test_the_fall_begins_when_a_third_of_the_time_is_left(self):
        call = sprint.Sprint.__new__(sprint.Sprint)
        call.options, call.first = argparse.Namespace(steps=0, finish=True), 100
        call.state, call.fell = argparse.Namespace(counts={"step": 750}, fall=[]), None
        call.left = lambda: 36.0
        call.plan_fall(64.0)
        self.assertEqual(call.state.fall, [])
        # Ten steps a second.
        call.left = lambda: 35.0
        call.plan_fall(65.0)
        self.assertEqual(call.state.fall, [750, 1100])
        call.left = lambda: 20.0
        call.plan_fall(80.0)
        self.assertEqual(call.state.fall, [750, 1100])
        # Twice as fast from then on: at the next report the end is where the time will be up.
        call.state.counts["step"] = 1050
        call.plan_fall(80.0)
        self.assertEqual(call.state.fall, [750, 1450])

    def test_the_rate_rises_stays_and_falls(self):
        rates = [sprint.share_of_rate(step, 10, [60, 100]) for step in (0, 9, 60, 80, 100, 101)]
        self.assertEqual(rates, [0.1, 1.0, 1.0, 0.5, 0.0, 0.0])
        self.assertEqual(sprint.share_of_rate(5_000, 10, []), 1.0)


class OnAGpu(unittest.TestCase):
    def test_everything_lies_on_the_device(self):
        """No GPU is needed: PyTorch's tensors without content complain as real ones would. The way back is not tried."""
        tokens, plan = Tokens(CHECKPOINT), Drawn.plan
        drawn = dict(batches.make(plan, tokens, number) for number in range(8))
        self.assertEqual({kind.pages for kind in drawn}, {True, False})
        drawn |= {replace(kind, paired=True): arrays for kind, arrays in drawn.items() if not kind.pages}
        fake = FakeTensorMode()
        with fake, torch.device("cuda"):
            device = sprint.Device("cuda")
            torch.set_default_dtype(device.type)
            self.addCleanup(torch.set_default_dtype, torch.float32)
            model = Model(Shape.read(CHECKPOINT))
            auxiliary = Auxiliary(model.shape, len(KINDS), len(COLOUR_NAMES) + 1, pictures.LINE_CLASSES)
            torch.set_default_dtype(torch.float32)
            batch = {
                kind: {name: torch.empty(array.shape, dtype=torch.from_numpy(array).dtype) for name, array in arrays.items()}
                for kind, arrays in drawn.items()
            }
        with fake, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*CUDA is not available")
            for kind, arrays in batch.items():
                losses = sprint.losses_of(model, auxiliary, device, kind, arrays, 1.0)
                self.assertEqual((losses.total.device.type, losses.letters.device.type), ("cuda", "cuda"))


class Computed(unittest.TestCase):
    """What a GPU computes, on the CPU."""

    def setUp(self):
        torch.set_num_threads(1)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_kernels_without_a_mask_weigh_padding_as_often_as_it_counts(self):
        shape = Shape.read(CHECKPOINT)
        layer = Model.load(CHECKPOINT).vision_model.transformer.layers[0].self_attn
        for tiles in (1, 3, 4):
            padding = Padding.of(shape, tiles, torch.zeros(()))
            x = torch.randn(2, len(padding.bias), 192, generator=torch.Generator().manual_seed(tiles), requires_grad=True)
            for queries in (len(padding.bias), padding.real):
                got = []
                for use in (False, True):
                    with mock.patch("model.fused", lambda _, use=use: use):
                        out = layer(x, padding, queries)
                    got.append((out, *torch.autograd.grad(out.square().sum(), [x, *layer.parameters()])))
                for expected, other in zip(*got):
                    self.assertLess((other - expected).norm() / expected.norm(), 1e-5)

    def states(self, *halves: bool) -> list[tuple[sprint.Device, sprint.State]]:
        devices = [sprint.Device("cpu", half) for half in halves]
        return [(device, sprint.State(CHECKPOINT, Path(self.folder.name) / str(device.half), Drawn.plan, device)) for device in devices]

    def test_in_bfloat16_it_learns_nearly_the_same(self):
        tokens, options = Tokens(CHECKPOINT), argparse.Namespace(letters=1.0, rate=1e-4, warm_up=1)
        drawn = dict(batches.make(Drawn.plan, tokens, number) for number in range(8))
        drawn |= {replace(kind, paired=True): arrays for kind, arrays in drawn.items() if not kind.pages}
        for kind, arrays in drawn.items():
            both = self.states(False, True)
            before = [parameter.clone() for parameter in both[0][1].parameters]
            figures, gradients = [], []

            def clip(parameters: list[torch.Tensor], _: float, gradients: list = gradients) -> torch.Tensor:
                gradients.append([None if each.grad is None else each.grad.clone() for each in parameters])
                return torch.ones(())

            for device, state in both:
                with mock.patch("torch.nn.utils.clip_grad_norm_", clip):
                    figures.append(
                        sprint.learn(state, device, kind, {name: torch.from_numpy(each) for name, each in arrays.items()}, options)
                    )
            torch.testing.assert_close(figures[1][0], figures[0][0], rtol=0.02, atol=0)
            # Parts that a batch does not teach are left alone in both.
            self.assertEqual(*([each is None for each in of] for of in gradients))
            flat = [torch.cat([each.flatten() for each in of if each is not None]) for of in gradients]
            self.assertGreater(torch.cosine_similarity(*flat, 0), 0.98)
            for _, state in both:
                changed = [not torch.equal(*each) for each in zip(before, state.parameters)]
                self.assertEqual(changed, [gradient is not None and bool(gradient.any()) for gradient in gradients[0]])
            torch.testing.assert_close(both[1][1].worked, [parameter.bfloat16() for parameter in both[1][1].parameters])

    def test_a_step_without_numbers_changes_nothing(self):
        kind, arrays = batches.make(Drawn.plan, Tokens(CHECKPOINT), 0)
        options = argparse.Namespace(letters=float("nan"), rate=1e-4, warm_up=1)
        for device, state in self.states(False, True):
            before = [parameter.clone() for parameter in state.parameters]
            figures = sprint.learn(state, device, kind, {name: torch.from_numpy(each) for name, each in arrays.items()}, options)
            self.assertEqual(figures[0].tolist(), [0, 0])
            self.assertTrue(all(map(torch.equal, before, state.parameters)))
            options.letters = 1.0
            self.assertEqual(
                sprint.learn(state, device, kind, {name: torch.from_numpy(each) for name, each in arrays.items()}, options)[0, 1], 1
            )
            self.assertFalse(all(map(torch.equal, before, state.parameters)))
            options.letters = float("nan")


def command(run: Path, *more: str) -> list[str]:
    """Reports, and so saves, after every step."""
    code = "import sprint; sprint.REPORT = 1; sprint.main()"
    options = "--device cpu --tiles 4 --workers 1 --save 0 --minutes 60 --reserve 0 --rate 1e-4 --warm-up 2 --perception 0.3".split()
    return [sys.executable, "-c", code, str(CHECKPOINT), str(run), *options, *more]


class Resumed(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_killed_in_the_middle_it_ends_the_same(self):
        whole, killed = (Path(self.folder.name) / name for name in ("whole", "killed"))
        subprocess.run(command(whole, "--steps", "5"), cwd=HERE, check=True, stdout=subprocess.DEVNULL)
        process = subprocess.Popen(command(killed, "--steps", "5"), cwd=HERE, stdout=subprocess.PIPE)
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.assertFalse((killed / "checkpoint").exists())
        subprocess.run(command(killed, "--steps", "5"), cwd=HERE, check=True, stdout=subprocess.DEVNULL)
        states = [torch.load(run / "state.pt", weights_only=True) for run in (whole, killed)]
        self.assertEqual([state["counts"]["step"] for state in states], [5, 5])
        for part in ("model", "average", "auxiliary"):
            for name, tensor in states[0][part].items():
                self.assertTrue(torch.equal(tensor, states[1][part][name]), name)
        before, after = (Model.load(each).state_dict() for each in (CHECKPOINT, whole / "checkpoint"))
        self.assertTrue(any(not torch.equal(before[name], after[name]) for name in before), "nothing was learned")
        steps = [json.loads(line)["step"] for line in (killed / "log.jsonl").read_text().splitlines()]
        self.assertLess(len(steps), 9, "the second call began anew")

        # Other pictures would not go on from there.
        told = subprocess.run(command(whole, "--steps", "6", "--seed", "2"), cwd=HERE, capture_output=True, text=True)
        self.assertEqual(told.returncode, 1)
        self.assertIn("Say the same, or name another folder", told.stderr)

    def test_what_was_learned_is_exported_after_a_failure(self):
        run = Path(self.folder.name) / "run"
        process = subprocess.Popen(
            command(run, "--finish", "--profile", "1"), cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        printed = [process.stdout.readline()]
        while not printed[-1].startswith("{") or len(printed) < 3:
            printed.append(process.stdout.readline())
        drawing = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(drawing[0]), signal.SIGKILL)
        _, told = process.communicate()
        self.assertEqual(process.returncode, 1)
        self.assertIn("has ended with -9", told)
        before, after = (Model.load(each).state_dict() for each in (CHECKPOINT, run / "checkpoint"))
        self.assertTrue(any(not torch.equal(before[name], after[name]) for name in before), "nothing was learned")
        self.assertTrue(any("Self CPU" in line for line in printed))
        self.assertTrue(any(line.endswith("kernels started a step\n") for line in printed))


if __name__ == "__main__":
    unittest.main()
