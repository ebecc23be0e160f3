"""What the attention is taught, on drawn examples. Needs what requirements.txt lists, and the fonts:

/opt/loupe-training-venv/bin/python training/test_attention.py
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections import Counter
from pathlib import Path

try:
    import torch
except ImportError:
    print("SKIPPED: PyTorch is not installed for this Python; training/README.md says how to install it.", file=sys.stderr)
    sys.exit(0)

import fonts

if any(not Path(path).exists() for paths in fonts.paths(False).values() for path in paths):
    print("SKIPPED: fonts are missing; training/README.md lists their packages.", file=sys.stderr)
    sys.exit(0)

import pictures
import train
from dialogues import fill_row
from drawing import CHARACTERS
from looking import HEADS, look_loss, look_weight, wanted_keys
from model import Model
from places import NOWHERE
from tokens import Tokens

CHECKPOINT = Path(__file__).parent.parent / "resources" / "demo-model"
MIX = {"short": 1, "lines": 1, "labelled": 1, "dialog": 1, "bars": 1}


def draw(count: int, seed: int) -> list[pictures.Picture]:
    rng = random.Random(seed)
    return [pictures.draw(rng, MIX, evaluation=False, unseen_fonts=False) for _ in range(count)]


class Targets(unittest.TestCase):
    def test_every_patch_holds_the_character(self):
        """By the labels that the encoder's heads learn; beyond four characters in a patch these leave some out."""
        checked = Counter()
        for picture in draw(80, 1):
            labels = picture.characters.reshape(-1, picture.characters.shape[-1])
            for question in picture.questions:
                text = question.verbatim.lstrip(" ")
                for character, key in zip(text, question.patches[len(question.verbatim) - len(text) :]):
                    if key == NOWHERE or not question.verbatim.isascii():
                        continue
                    tile, place = divmod(key, 65)
                    held = labels[tile * 64 + place - 1].tolist()
                    self.assertGreater(place, 0, "the class token holds no character")
                    if 0 in held:
                        self.assertIn(CHARACTERS.index(character) + 1, held, question)
                        checked["one tile" if len(picture.tiles) == 1 else "several tiles"] += 1
        self.assertGreater(min(checked["one tile"], checked["several tiles"]), 300)

    def test_most_answers_from_the_picture_have_places(self):
        asked = [question for picture in draw(80, 2) for question in picture.questions if question.verbatim]
        self.assertGreater(sum(bool(question.patches) for question in asked), 0.95 * len(asked))

    def test_a_place_stands_where_its_character_is_to_be_predicted(self):
        tokens, rng, letters = Tokens(CHECKPOINT), random.Random(3), 0
        for picture in draw(30, 3):
            of_place = {
                (key, byte)
                for question in picture.questions
                for byte, key in zip(question.verbatim.encode(), question.patches)
                if key != NOWHERE
            }
            row = fill_row(rng, tokens, 160, picture.questions).arrays(tokens.padding)
            bytes_of = {tokens._byte(byte): byte for byte in range(256)}
            for index in (row["looks"] != NOWHERE).nonzero()[0]:
                self.assertGreaterEqual(row["answers"][index], 0)
                self.assertEqual(row["sees"][index], 0)
                if (byte := bytes_of.get(row["targets"][index])) is not None:
                    self.assertIn((row["looks"][index], byte), of_place)
                    letters += 1
        self.assertGreater(letters, 500)

    def test_the_sentence_before_the_name_of_a_bar_looks_at_the_name(self):
        tokens = Tokens(CHECKPOINT)
        question = next(q for picture in draw(80, 4) for q in picture.questions if q.task == "bars" and q.patches)
        looks = tokens.looks(question)
        self.assertEqual(len(looks), len(tokens.answer(question)))
        before = len(tokens.encode(question.before))
        self.assertEqual(set(looks[:before]), {question.patches[0]})
        self.assertEqual(looks[-1], NOWHERE)


class Loss(unittest.TestCase):
    def setUp(self):
        # One row of three positions; the second looks at place 4 of the row's second picture.
        self.looks, self.sees = torch.tensor([[NOWHERE, 4, NOWHERE]]), torch.tensor([[-1, 1, 1]])

    def test_a_place_of_the_second_picture_lies_behind_the_first(self):
        rows, positions, keys = wanted_keys(self.looks, self.sees, 10)
        self.assertEqual((rows.tolist(), positions.tolist(), keys.tolist()), ([0], [1], [14]))

    def test_even_weights_cost_the_logarithm_of_their_number(self):
        loss, share = look_loss([torch.full((1, 6, 3, 20), 1 / 20)] * 2, self.looks, self.sees, 10)
        self.assertAlmostEqual(loss.item(), torch.tensor(20.0).log().item(), 3)
        self.assertAlmostEqual(share, 1 / 20, 5)

    def test_nothing_to_look_at_costs_nothing(self):
        loss, _ = look_loss([torch.full((1, 6, 3, 20), 1 / 20)] * 2, torch.full((1, 3), NOWHERE), self.sees, 10)
        self.assertEqual(loss.item(), 0)

    def test_only_the_learning_heads_get_a_gradient_and_only_there(self):
        scores = [torch.zeros(1, 6, 3, 20, requires_grad=True) for _ in range(2)]
        look_loss([each.softmax(-1) for each in scores], self.looks, self.sees, 10)[0].backward()
        for layer, each in enumerate(scores):
            touched = each.grad.abs().sum(-1).nonzero().tolist()
            self.assertEqual(touched, [[0, head, 1] for head in HEADS[layer]])
            self.assertTrue((each.grad[0, list(HEADS[layer]), 1].argmin(-1) == 14).all())

    def test_it_fades_out_at_the_end(self):
        self.assertEqual([look_weight(left) for left in (1.0, 0.5, 0.0, -0.1)], [1.0, 1.0, 0.0, 0.0])
        self.assertLess(look_weight(0.1), look_weight(0.2))


class OnTheModel(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(1)
        torch.set_num_threads(1)
        self.model = Model.load(CHECKPOINT)
        self.batch, self.rows, _, self.paired = train.Source(7, Tokens(CHECKPOINT)).batch()
        _, self.seen = train.look(self.model, self.batch, self.paired)
        self.seen = [each.detach() for each in self.seen]

    def read(self, watched: list | None) -> torch.Tensor:
        rows = self.rows
        return self.model.read(rows["tokens"], rows["positions"].float(), rows["segments"], rows["sees"], self.seen, watched)

    def test_watching_changes_nothing(self):
        watched: list[torch.Tensor] = []
        self.assertTrue(torch.equal(self.read(watched), self.read(None)))
        self.assertEqual(len(watched), len(self.model.shape.cross_layers))
        keys = sum(each.shape[1] for each in self.seen)
        for weights in watched:
            self.assertEqual(weights.shape, (len(self.batch), 6, self.rows["tokens"].shape[1], keys))
            self.assertLess((weights.sum(-1) - 1).abs().max().item(), 1e-5)

    def test_the_loss_moves_the_weight_onto_the_patches(self):
        optimizer, shares = torch.optim.SGD(self.model.parameters(), lr=0.05), []
        for _ in range(6):
            watched: list[torch.Tensor] = []
            self.read(watched)
            loss, share = look_loss(watched, self.rows["looks"], self.rows["sees"], self.seen[0].shape[1])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            shares.append(share)
        self.assertGreater(shares[-1], shares[0])


class Rounds(unittest.TestCase):
    def test_a_round_ends_at_a_multiple_of_its_steps(self):
        options = train.argparse.Namespace(round=100, minutes=5)
        counts = torch.tensor([60.0, 250.0, 0, 0])
        span = train.Span.of(counts, options)
        self.assertEqual((span.begin, span.end, span.left(counts)), (200, 300, 0.5))
        counts[1] = 301
        self.assertLess(span.left(counts), 0)
        self.assertEqual(train.Span.of(counts, options).begin, 300)

    def test_minutes_count_from_the_first_call(self):
        counts = torch.tensor([60.0, 250.0, 0, 0])
        self.assertAlmostEqual(train.Span.of(counts, train.argparse.Namespace(round=0, minutes=5)).left(counts), 0.8)


WRITER = """
import sys, torch, train
from pathlib import Path
for number in range(1, 1_000_000):
    train.write_whole({"weights": torch.full((2_000_000,), float(number)), "number": number}, Path(sys.argv[1]))
"""


class Killed(unittest.TestCase):
    def test_a_state_is_whole_whenever_its_writer_is_killed(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "state.pt"
            for delay in (0.0, 0.013, 0.031, 0.047):
                path.unlink(missing_ok=True)
                writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=Path(__file__).parent)
                while not path.exists():
                    self.assertIsNone(writer.poll())
                    time.sleep(0.005)
                time.sleep(delay)
                writer.send_signal(signal.SIGKILL)
                writer.wait()
                state = torch.load(path, weights_only=True)
                self.assertTrue((state["weights"] == state["number"]).all())


if __name__ == "__main__":
    unittest.main()
