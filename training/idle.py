"""Trains in the idle hours of a machine, for as long as it is left alone.

    python idle.py start      begins or continues in the background (as `idle.py run`)
    python idle.py status     what it does, how far it is, and what it has exported
    python idle.py stop       before a benchmark, for example; takes seconds, the state is saved

    --state DIRECTORY         where everything is kept; ~/.local/share/loupe-training unless told otherwise
    --start CHECKPOINT        what the first call starts from, and what must be beaten; the shipped checkpoint
    --round STEPS             over which the learning rate falls and the attention is taught; then comes an evaluation

Everything runs at idle priority in a scheduling group of its own: builds and tests keep the cores. The state is saved every two
minutes. Whatever is killed, and however: `start` goes on from the last save. What a round made is kept in best/ only if every cell of
the held-out questions is at least as good as in the checkpoint of --start and in what best/ held before, and one is better. Both
are asked on this machine: other versions of the fonts draw other pictures.
"""

import argparse
import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Seconds: for a running training to save and end; for what a killed one left behind to end; between failures.
PATIENCE, ORPHANS, PAUSE = 120, 60, 30
# Failures in a row after which something is wrong that trying again does not mend.
FAILURES = 5
SIGNAL_AT_PARENTS_DEATH = 1


@dataclass
class Plan:
    """Where everything is kept, and the commands that do the work."""

    state: Path
    start: Path
    round: int

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def candidate(self) -> Path:
        """Exported, not evaluated yet."""
        return self.state / "candidate"

    @property
    def best(self) -> Path:
        return self.state / "best"

    @property
    def questions(self) -> Path:
        return self.state / "held-out"

    @property
    def of_start(self) -> Path:
        """What `start` answers right; another file once another checkpoint is shipped."""
        checksum = hashlib.sha256((self.start / "model.safetensors").read_bytes()).hexdigest()
        return self.state / f"start-{checksum[:12]}.json"

    @property
    def evaluations(self) -> Path:
        return self.state / "evaluations.jsonl"

    def python(self, script: str, *arguments: object) -> list[str]:
        return [sys.executable, str(HERE / script), *map(str, arguments)]

    def train(self) -> list[str]:
        """Ends with 0 after a round; at SIGTERM saves and ends."""
        return self.python("train.py", self.start, self.run, "--round", self.round, "--perception", 0.3, "--rate", 2e-4)

    def export(self, out: Path) -> list[str]:
        return self.python("export.py", self.start, self.run, out, out / "auxiliary.safetensors")

    def draw_questions(self, out: Path) -> list[str]:
        return self.python("evaluation_set.py", out)

    def evaluate(self, checkpoint: Path, cells: list[str], out: Path) -> list[str]:
        return self.python("evaluate.py", checkpoint, self.questions, "--cells", ",".join(cells), "--json", out)


def be_idle() -> None:
    """This process and those that it starts get what nobody else wants."""
    os.nice(19)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    # Where the kernel shares the processor among sessions first (autogroup), a session full of idle processes would get as much as one
    # that builds. This one is a session of its own, and says that it is nice as a whole.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")


def wake(group: int) -> None:
    """Where this user may: its processes get the processor as others do, so that they can save and end on a machine that is busy. Even a
    killed process needs a turn to end."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getpgid(int(process.name)) != group:
                continue
            for thread in (process / "task").iterdir():
                os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))
                os.setpriority(os.PRIO_PROCESS, int(thread.name), 0)
            (process / "autogroup").write_text("0")


def worse_cells(before: dict, after: dict) -> list[str]:
    """Cells, in known and in held-out fonts, in which fewer answers are exact."""
    return [cell for cell in cells_of(before) if cell not in after or after[cell]["exact"] < before[cell]["exact"]]


def higher(summaries: Iterable[dict]) -> dict:
    """The best of each cell."""
    best: dict = {}
    for summary in summaries:
        for cell, result in summary.items():
            if cell not in best or result["exact"] > best[cell]["exact"]:
                best[cell] = result
    return best


def better_cells(before: dict, after: dict) -> list[str]:
    return [cell for cell in cells_of(before) if cell in after and after[cell]["exact"] > before[cell]["exact"]]


def cells_of(summary: dict) -> list[str]:
    """Neither the sums over both kinds of fonts nor the parts by tiles and size, whose questions all count already."""
    return [name for name in summary if name.endswith(" fonts") and name.count(",") == 1]


class Lock:
    """Held by a training and by every process that it started, so that nothing new begins beside what a killed one left behind."""

    def __init__(self, path: Path):
        self.path = path

    def take(self, patience: float = 0.0) -> int | None:
        """The file, to be passed on; None while others hold it."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        until = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return file
            except BlockingIOError:
                if time.monotonic() >= until:
                    os.close(file)
                    return None
                time.sleep(0.1)

    def free(self, patience: float = 0.0) -> bool:
        file = self.take(patience)
        if file is not None:
            os.close(file)
        return file is not None

    def owner(self) -> int | None:
        """The process that leads the group of those that hold it."""
        with suppress(OSError, ValueError):
            return int(self.path.read_text())
        return None


class Idle:
    def __init__(self, plan: Plan):
        self.plan, self.stopping = plan, False
        self.children: list[subprocess.Popen] = []

    def say(self, text: str) -> None:
        print(time.strftime("%Y-%m-%d %H:%M:%S"), text, flush=True)

    def stop(self, *_: object) -> None:
        self.stopping = True
        for child in self.children:
            child.terminate()

    def call(self, *commands: list[str]) -> bool:
        """Side by side, what they print dropped but for errors. Whether all succeeded; False too when this is to stop."""

        def end_with_parent() -> None:
            ctypes.CDLL(None).prctl(SIGNAL_AT_PARENTS_DEATH, signal.SIGTERM)

        for command in commands:
            if not self.stopping:
                child = subprocess.Popen(command, cwd=HERE, stdout=subprocess.DEVNULL, pass_fds=[self.lock], preexec_fn=end_with_parent)
                self.children.append(child)
        # A signal that came meanwhile found no child to end.
        if self.stopping:
            self.stop()
        codes = [child.wait() for child in self.children]
        self.children = []
        if any(codes) and not self.stopping:
            self.say(f"{Path(commands[0][1]).name} failed: exit status {', '.join(map(str, codes))}")
        return not any(codes) and not self.stopping

    def make(self, directory: Path, command) -> bool:
        """A directory that is there whole or not at all."""
        unfinished = directory.with_name(directory.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        if not self.call(command(unfinished)):
            return False
        unfinished.rename(directory)
        return True

    def ask(self, checkpoint: Path, result: Path) -> bool:
        """All held-out questions; `result` is there whole or not at all."""
        plan = self.plan
        if result.exists():
            return True
        cells = sorted({case["cell"] for case in json.loads((plan.questions / "cases.json").read_text())})
        halves = {plan.state / f"eval.{number}.json": cells[number::2] for number in (0, 1) if cells[number::2]}
        if not self.call(*(plan.evaluate(checkpoint, half, file) for file, half in halves.items())):
            return False
        summary = {}
        for file in halves:
            summary |= json.loads(file.read_text())
            file.unlink()
        unfinished = plan.state / "eval.new"
        unfinished.write_text(json.dumps(dict(sorted(summary.items())), indent=1) + "\n")
        unfinished.rename(result)
        return True

    def judge(self) -> bool:
        """Evaluates the candidate; keeps it as the best, or drops it."""
        plan = self.plan
        if not plan.questions.exists() and not self.make(plan.questions, plan.draw_questions):
            return False
        if not (self.ask(plan.start, plan.of_start) and self.ask(plan.candidate, plan.candidate / "eval.json")):
            return False
        after = json.loads((plan.candidate / "eval.json").read_text())
        before = higher(json.loads(path.read_text()) for path in (plan.of_start, plan.best / "eval.json") if path.exists())
        worse, better = worse_cells(before, after), better_cells(before, after)
        kept = bool(better) and not worse
        entry = {"time": time.strftime("%Y-%m-%d %H:%M"), "kept": kept, "better": better, "worse": worse}
        with plan.evaluations.open("a") as file:
            file.write(json.dumps({**entry, "exact": {cell: after[cell]["exact"] for cell in cells_of(after)}}) + "\n")
        self.say(f"evaluated: {len(better)} cells better, {len(worse)} worse; {'kept as the best' if kept else 'not kept'}")
        replaced = plan.best.with_name("best.old")
        shutil.rmtree(replaced, ignore_errors=True)
        if not kept:
            plan.candidate.rename(replaced)
        else:
            if plan.best.exists():
                plan.best.rename(replaced)
            plan.candidate.rename(plan.best)
        shutil.rmtree(replaced, ignore_errors=True)
        return True

    def run(self) -> int:
        with suppress(PermissionError):
            os.setsid()
        lock = Lock(self.plan.state / "lock")
        file = lock.take(ORPHANS)
        if file is None:
            print(f"It is running already: process {lock.owner()}.", file=sys.stderr)
            return 1
        self.lock = file
        os.ftruncate(file, 0)
        os.pwrite(file, str(os.getpid()).encode(), 0)
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        be_idle()
        self.say("begins")
        failures = 0
        while not self.stopping and failures < FAILURES:
            if self.plan.candidate.exists():
                done = self.judge()
            else:
                done = self.call(self.plan.train()) and self.make(self.plan.candidate, self.plan.export)
            failures = 0 if done else failures + 1
            waited = 0.0
            while failures and not self.stopping and failures < FAILURES and waited < PAUSE:
                time.sleep(0.2)
                waited += 0.2
        self.say("stopped" if self.stopping else f"gave up after {failures} failures in a row")
        return 0 if self.stopping else 1


def start(plan: Plan, command: list[str]) -> int:
    lock, log = Lock(plan.state / "lock"), plan.state / "idle.log"
    if not lock.free() and alive(lock.owner()):
        print(f"It is running already: process {lock.owner()}. `idle.py status` says how far it is.")
        return 0
    if not lock.free(ORPHANS):
        print("A training that was killed is still ending. `idle.py stop` ends it at once.", file=sys.stderr)
        return 1
    with log.open("a") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    while lock.free() or lock.owner() != process.pid:
        if process.poll() is not None:
            print(f"It did not start; the end of {log} says why.", file=sys.stderr)
            return 1
        time.sleep(0.05)
    print(f"Training at idle priority: process {process.pid}. State and log: {plan.state}")
    return 0


def alive(process: int | None) -> bool:
    """False too for one that has ended and that its parent did not ask for its exit status."""
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][:1] not in ("Z", "X")
    return False


def stop(plan: Plan) -> int:
    lock = Lock(plan.state / "lock")
    leader = lock.owner()
    if leader is None or lock.free():
        print("It is not running.")
        return 0
    wake(leader)
    # The whole group: its leader may have been killed.
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGTERM)
    if not lock.free(PATIENCE):
        print(f"It did not end within {PATIENCE} seconds and is killed; the last save is at most some minutes old.")
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)
        if not lock.free(10):
            print(f"Process group {leader} does not end.", file=sys.stderr)
            return 1
    print("Stopped. `idle.py start` goes on from here.")
    return 0


def lines_of(path: Path) -> Iterator[dict]:
    """Of a log; the last line may have been cut short by a kill."""
    if path.exists():
        for line in path.read_text().splitlines():
            with suppress(json.JSONDecodeError):
                yield json.loads(line)


def status(plan: Plan) -> int:
    lock = Lock(plan.state / "lock")
    running = f"Running, process {lock.owner()}" if alive(lock.owner()) else "Killed; what it had started is still ending"
    print(f"{'Stopped' if lock.free() else running}. State: {plan.state}")
    log = list(lines_of(plan.run / "log.jsonl"))
    if log:
        last = log[-1]
        into = last["step"] % plan.round / plan.round
        print(
            f"Step {last['step']:,}, {last['pictures']:,} pictures, {last['minutes'] / 60:.1f} hours; "
            f"round {last['step'] // plan.round + 1}, {into:.0%} done, learning rate {last['rate']:.1e}"
        )
        recent = log[-10:]
        print("Of what it drew lately:")
        for key in ("=ask letters", "=ask looks", "short", "line", "value", "colour", "count", "bars"):
            values = [entry[key] for entry in recent if key in entry]
            if values:
                print(f"  {key.removeprefix('=ask '):8} {sum(values) / len(values):6.1%}")
    for entry in list(lines_of(plan.evaluations))[-5:]:
        verdict = "kept" if entry["kept"] else f"not kept, worse in: {'; '.join(entry['worse'])}"
        print(f"Evaluated {entry['time']}: better in {len(entry['better'])} cells; {verdict}")
    if plan.candidate.exists():
        print("A round is over; its evaluation is under way or comes next.")
    print(f"Best: {plan.best}" if plan.best.exists() else "Nothing yet that is at least as good in every cell.")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["start", "run", "status", "stop"])
    parser.add_argument("--state", type=Path, default=Path("~/.local/share/loupe-training"))
    parser.add_argument("--start", type=Path, default=HERE.parent / "resources" / "demo-model")
    parser.add_argument("--round", type=int, default=8000)
    options = parser.parse_args()
    state = options.state.expanduser().resolve()
    state.mkdir(parents=True, exist_ok=True)
    plan = Plan(state, options.start.resolve(), options.round)
    if options.command == "start":
        return start(plan, [sys.executable, __file__, "run", *sys.argv[2:]])
    return Idle(plan).run() if options.command == "run" else {"status": status, "stop": stop}[options.command](plan)


if __name__ == "__main__":
    sys.exit(main())
