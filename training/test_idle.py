"""Starting, stopping and killing the training of idle hours, with commands that only count: python3 training/test_idle.py"""

import contextlib
import io
import json
import os
import signal
import sys
import tempfile
import time
import unittest
from dataclasses import dataclass
from pathlib import Path

import idle

# Counts up to a round's end, saves after each step, and like the real one ends at SIGTERM.
TRAIN = """
import os, pathlib, signal, sys, time
run, steps, stop = pathlib.Path(sys.argv[1]), int(sys.argv[2]), []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
run.mkdir(parents=True, exist_ok=True)
(run / "process").write_text(str(os.getpid()))
(run / "begins").open("a").write("begin\\n")
step = int((run / "step").read_text()) if (run / "step").exists() else 0
while not stop:
    step += 1
    (run / "step.new").write_text(str(step))
    (run / "step.new").replace(run / "step")
    if step % steps == 0:
        break
    time.sleep(0.01)
(run / "ended").write_text(f"{os.sched_getscheduler(0)} {os.getpriority(os.PRIO_PROCESS, 0)}")
"""
EXPORT = "import pathlib, sys; (pathlib.Path(sys.argv[1]) / 'model').write_text(pathlib.Path(sys.argv[2]).read_text())"
DRAW = """import json, pathlib, sys; (pathlib.Path(sys.argv[1]) / 'cases.json').write_text(json.dumps([{'cell': 'a'}, {'cell': 'b'}]))"""
# Every cell is as good as the file "score" beside the state says, or the one of the checkpoint that begins it.
EVALUATE = """
import json, pathlib, sys
score = json.loads(pathlib.Path(sys.argv[1]).read_text())
cells = {f"{cell}, known fonts": {"questions": 10, "exact": score[cell]} for cell in sys.argv[2].split(",")}
pathlib.Path(sys.argv[3]).write_text(json.dumps(cells))
"""
ENDLESS = 1_000_000


@dataclass
class Counting(idle.Plan):
    def train(self):
        return [sys.executable, "-c", TRAIN, str(self.run), str(self.round)]

    def export(self, out):
        return [sys.executable, "-c", EXPORT, str(out), str(self.run / "step")]

    def draw_questions(self, out):
        return [sys.executable, "-c", DRAW, str(out)]

    def evaluate(self, checkpoint, cells, out):
        score = checkpoint / "score" if checkpoint == self.start else self.state / "score"
        return [sys.executable, "-c", EVALUATE, str(score), ",".join(cells), str(out)]


class Idle(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.state = Path(directory.name) / "state"
        self.plan = Counting(self.state, self.state / "shipped", ENDLESS)
        self.plan.start.mkdir(parents=True)
        self.ship(0.5, 0.5)
        self.addCleanup(self.stop)

    def ship(self, a: float, b: float) -> None:
        (self.plan.start / "score").write_text(json.dumps({"a": a, "b": b}))
        (self.plan.start / "model.safetensors").write_text(f"{a} {b}")

    def said(self, command) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as output:
            command()
        return output.getvalue()

    def start(self, mode: str = "busy") -> str:
        return self.said(lambda: idle.start(self.plan, [sys.executable, __file__, mode, str(self.state), str(self.plan.round)]))

    def stop(self) -> str:
        return self.said(lambda: idle.stop(self.plan))

    def until(self, holds) -> None:
        """Waits for something that happens on its own; the limit is for a test that fails."""
        limit = time.monotonic() + 240
        while not holds():
            self.assertLess(time.monotonic(), limit, (self.state / "idle.log").read_text())
            time.sleep(0.02)

    def number(self, name: str) -> int:
        path = self.plan.run / name
        return int(path.read_text() or 0) if path.exists() else 0

    def test_it_trains_at_idle_priority_until_it_is_stopped(self):
        self.assertIn("Training at idle priority", self.start("idle"))
        self.until(lambda: self.number("step") > 3)
        for process in (idle.Lock(self.state / "lock").owner(), self.number("process")):
            self.assertEqual(os.sched_getscheduler(process), os.SCHED_IDLE)
            self.assertEqual(os.getpriority(os.PRIO_PROCESS, process), 19)
            self.assertNotEqual(os.getsid(process), os.getsid(0))
        self.assertIn("Running, process", self.said(lambda: idle.status(self.plan)))
        self.assertIn("running already", self.start())
        trainer = self.number("process")
        self.assertIn("Stopped", self.stop())
        self.assertFalse(idle.alive(trainer))
        if os.getuid() == 0:
            # On a machine that is busy, a process at idle priority gets no turn to end in.
            self.assertEqual((self.plan.run / "ended").read_text(), f"{os.SCHED_OTHER} 0")
        self.assertIn("Stopped", self.said(lambda: idle.status(self.plan)))
        self.assertIn("not running", self.stop())

    def test_it_goes_on_from_the_last_save_after_it_was_killed(self):
        self.start()
        self.until(lambda: self.number("step") > 3)
        leader, trainer = idle.Lock(self.state / "lock").owner(), self.number("process")
        os.kill(leader, signal.SIGKILL)
        self.until(lambda: not idle.alive(trainer))
        saved = self.number("step")
        self.start()
        self.until(lambda: self.number("step") > saved)
        self.assertEqual((self.plan.run / "begins").read_text().count("begin"), 2)

    def test_a_training_that_was_killed_is_started_again(self):
        self.start()
        self.until(lambda: self.number("step") > 3)
        trainer, saved = self.number("process"), self.number("step")
        os.kill(trainer, signal.SIGKILL)
        self.until(lambda: self.number("process") not in (0, trainer) and self.number("step") > saved)

    def test_nothing_new_begins_beside_what_a_kill_left_behind(self):
        lock = idle.Lock(self.state / "lock")
        held = lock.take()
        self.assertIsNone(lock.take())
        self.assertFalse(lock.free())
        os.close(held)
        self.assertTrue(lock.free())

    def judged(self, a: float, b: float) -> dict:
        (self.state / "score").write_text(json.dumps({"a": a, "b": b}))
        self.plan.candidate.mkdir()
        (self.plan.candidate / "model").write_text(f"{a} {b}")
        engine = idle.Idle(self.plan)
        engine.lock = idle.Lock(self.state / "lock").take()
        self.said(engine.judge)
        os.close(engine.lock)
        self.assertFalse(self.plan.candidate.exists())
        return list(idle.lines_of(self.plan.evaluations))[-1]

    def test_only_what_is_nowhere_worse_is_kept(self):
        self.assertEqual(self.judged(0.9, 0.4)["worse"], ["b, known fonts"])
        self.assertFalse(self.plan.best.exists())
        self.assertFalse(self.judged(0.5, 0.5)["kept"])
        self.assertFalse(self.plan.best.exists())
        self.assertTrue(self.judged(0.6, 0.5)["kept"])
        self.assertEqual((self.plan.best / "model").read_text(), "0.6 0.5")
        # Better than what is shipped, but not than what was kept.
        self.assertFalse(self.judged(0.55, 0.9)["kept"])
        self.assertEqual((self.plan.best / "model").read_text(), "0.6 0.5")
        self.assertTrue(self.judged(0.6, 0.6)["kept"])
        # Another checkpoint was shipped meanwhile.
        self.ship(0.5, 0.8)
        self.assertEqual(self.judged(0.7, 0.7)["worse"], ["b, known fonts"])
        self.assertEqual(json.loads((self.plan.best / "eval.json").read_text())["b, known fonts"]["exact"], 0.6)

    def test_only_cells_in_one_kind_of_fonts_are_compared(self):
        names = ["a", "a, known fonts", "a, held-out fonts", "a, known fonts, one tile", "chat, known fonts"]
        before, after = ({name: {"questions": 10, "exact": exact} for name in names} for exact in (0.5, 0.4))
        self.assertEqual(idle.worse_cells(before, after), ["a, known fonts", "a, held-out fonts", "chat, known fonts"])
        self.assertEqual(idle.better_cells(after, before), idle.worse_cells(before, after))
        self.assertEqual(idle.worse_cells(before, {}), idle.worse_cells(before, after))

    def test_rounds_are_evaluated_and_the_next_one_begins(self):
        self.plan.round = 5
        (self.state / "score").write_text(json.dumps({"a": 0.6, "b": 0.7}))
        self.start()
        self.until(lambda: self.plan.best.exists() and self.number("step") > 12)
        self.assertEqual((self.plan.best / "model").read_text(), "5")
        self.assertIn("better in 2 cells; kept", self.said(lambda: idle.status(self.plan)))

    def test_a_candidate_that_a_kill_left_behind_is_evaluated_first(self):
        self.plan.candidate.mkdir()
        (self.plan.candidate / "model").write_text("left behind")
        (self.state / "score").write_text(json.dumps({"a": 0.6, "b": 0.7}))
        self.start()
        self.until(self.plan.best.exists)
        self.assertEqual((self.plan.best / "model").read_text(), "left behind")

    def test_a_line_cut_short_by_a_kill_is_passed_over(self):
        self.plan.run.mkdir(parents=True)
        entry = {"step": ENDLESS // 2, "pictures": 10, "minutes": 90, "rate": 1e-4, "short": 0.5}
        (self.plan.run / "log.jsonl").write_text(json.dumps(entry) + '\n{"step": 7, "pict')
        said = self.said(lambda: idle.status(self.plan))
        self.assertIn("round 1, 50% done", said)
        self.assertIn("50.0%", said)


if __name__ == "__main__":
    if sys.argv[1:2] in (["idle"], ["busy"]):
        idle.PAUSE = 0
        if sys.argv[1] == "busy":
            # Beside other tests an idle process might hardly ever run.
            idle.be_idle = lambda: None
        state = Path(sys.argv[2])
        sys.exit(idle.Idle(Counting(state, state / "shipped", int(sys.argv[3]))).run())
    unittest.main(warnings="ignore")
