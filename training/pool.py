"""Processes that draw batches into shared memory, for one that trains.

    python pool.py --workers 2 --tile 224 --seconds 30 [--tiles 64]

measures how many pictures a second they draw.
"""

import argparse
import ctypes
import itertools
import mmap
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from batches import Kind, Plan, make, place
from tokens import Tokens

# Batches that a process may be ahead; what one takes longer than another is evened out by them.
SLOTS = 3
SIGNAL_AT_PARENTS_DEATH = 1


class Pool:
    """Batches first, first + 1, ... in order. Start it before anything begins with CUDA: the processes are forked."""

    def __init__(self, plan: Plan, workers: int, first: int = 0):
        self.plan, self.next = plan, first
        self.slot_bytes = plan.most_bytes()
        self.memories = [mmap.mmap(-1, SLOTS * self.slot_bytes) for _ in range(workers)]
        self.taken = [0] * workers
        self.held: int | None = None
        context = multiprocessing.get_context("fork")
        self.pipes, self.processes = [], []
        for index in range(workers):
            here, there = context.Pipe()
            turns = itertools.count(first + index, workers)
            process = context.Process(target=draw, args=(plan, turns, self.memories[index], self.slot_bytes, there), daemon=True)
            process.start()
            there.close()
            self.pipes.append(here)
            self.processes.append(process)
        # Batch n is drawn by the process n - first, counted around.
        self.first = first

    def take(self) -> tuple[Kind, dict[str, np.ndarray]]:
        """The next batch; its arrays are valid until the next call."""
        if self.held is not None:
            self.pipes[self.held].send(None)
        worker = (self.next - self.first) % len(self.processes)
        try:
            kind = self.pipes[worker].recv()
        except EOFError:
            self.processes[worker].join()
            raise SystemExit(
                f"A process that draws pictures has ended with {self.processes[worker].exitcode}; its message is above."
            ) from None
        memory = memoryview(self.memories[worker])[self.taken[worker] % SLOTS * self.slot_bytes :]
        self.taken[worker] += 1
        self.held, self.next = worker, self.next + 1
        return kind, place(self.plan, kind, memory)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()


def draw(plan: Plan, numbers: itertools.count, memory: mmap.mmap, slot_bytes: int, pipe: Connection) -> None:
    """One process: fills the slots of its memory in turn, and waits for one to be free again."""
    ctypes.CDLL(None).prctl(SIGNAL_AT_PARENTS_DEATH, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tokens = Tokens(plan.checkpoint)
    for turn, number in enumerate(numbers):
        kind, arrays = make(plan, tokens, number)
        if turn >= SLOTS:
            pipe.recv()
        for name, array in place(plan, kind, memoryview(memory)[turn % SLOTS * slot_bytes :]).items():
            array[...] = arrays[name]
        pipe.send(kind)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--tile", type=int, default=224)
    parser.add_argument("--tiles", type=int, default=64, help="of a batch")
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    plan = Plan(Path(__file__).parent.parent / "resources" / "demo-model", options.tile, options.tiles, 0.2, 1)
    pool = Pool(plan, options.workers)
    # What they drew until then was not drawn in the time that is measured, nor is what waits at its end.
    for _ in range(SLOTS * options.workers):
        pool.take()
    drawn = tiles = 0
    began, cpu = time.monotonic(), spent(pool)
    while time.monotonic() - began < options.seconds:
        kind, arrays = pool.take()
        drawn, tiles = drawn + len(arrays["ratios"]), tiles + len(arrays["ratios"]) * kind.tiles
    seconds, cpu = time.monotonic() - began, spent(pool) - cpu
    pool.close()
    print(
        f"{drawn / seconds:.0f} pictures a second by {options.workers} processes ({tiles / seconds:.0f} tiles of {options.tile}); "
        f"{drawn / cpu:.0f} pictures a second of processor time"
    )


def spent(pool: Pool) -> float:
    """Seconds of processor time of the processes that draw."""
    fields = [Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split() for process in pool.processes]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
