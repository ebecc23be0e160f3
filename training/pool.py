"""Processes that draw batches into shared memory, for one that trains.

    python pool.py --workers 2 --tile 224 --seconds 30 [--tiles 64]

measures how many pictures a second they draw.
"""

import argparse
import ctypes
import gc
import mmap
import multiprocessing
import multiprocessing.connection
import os
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Lock, Semaphore
from pathlib import Path

from batches import Kind, Plan, make
from tokens import Tokens

# Batches for each process that may lie ready. One of pages takes five times as long as another; meanwhile the others go on.
SLOTS = 4
SIGNAL_AT_PARENTS_DEATH = 1
# glibc's M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD, and how much memory is kept: or each picture would be drawn in new pages.
KEPT = {-1: 1 << 30, -2: 64 << 20, -3: 32 << 20}


class Pool:
    """Batches first, first + 1, ... in order; whichever process is free draws the next. Start it before anything begins with CUDA: the
    processes are forked."""

    def __init__(self, plan: Plan, workers: int, first: int = 0):
        self.plan, self.next = plan, first
        slots, self.slot_bytes = SLOTS * workers, plan.most_bytes()
        context = multiprocessing.get_context("fork")
        self.slots = Slots(context.Semaphore(slots), context.Lock(), context.Value("q", first, lock=False), slots)
        self.memory = mmap.mmap(-1, slots * self.slot_bytes)
        self.drawn: dict[int, Kind] = {}
        self.held = False
        self.pipes, self.processes = [], []
        # What was imported until now is not looked at by the collector of each process, which would copy all of it.
        gc.freeze()
        for _ in range(workers):
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=draw, args=(plan, self.slots, self.memory, self.slot_bytes, there), daemon=True)
            process.start()
            there.close()
            self.pipes.append(here)
            self.processes.append(process)
        gc.unfreeze()

    def take(self) -> tuple[Kind, memoryview]:
        """The next batch; its memory, see batches.place, is valid until the next call."""
        if self.held:
            self.slots.free.release()
        while self.next not in self.drawn:
            for pipe in multiprocessing.connection.wait(self.pipes):
                try:
                    number, kind = pipe.recv()
                except EOFError:
                    process = self.processes[self.pipes.index(pipe)]
                    process.join()
                    raise SystemExit(f"A process that draws pictures has ended with {process.exitcode}; its message is above.") from None
                self.drawn[number] = kind
        kind, number = self.drawn.pop(self.next), self.next
        self.held, self.next = True, self.next + 1
        return kind, self.slots.of(number, self.memory, self.slot_bytes)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.join()


@dataclass
class Slots:
    """Places for batches in the memory that all share. As they are taken in order, batch n can use the one that n - count has left."""

    free: Semaphore
    lock: Lock
    next: ctypes.c_longlong  # the number that nobody draws yet
    count: int

    def of(self, number: int, memory: mmap.mmap, slot_bytes: int) -> memoryview:
        begin = number % self.count * slot_bytes
        return memoryview(memory)[begin : begin + slot_bytes]

    def take(self) -> int:
        """The number of a batch that has a place to be drawn to; waits until there is one."""
        self.free.acquire()
        with self.lock:
            number = self.next.value
            self.next.value = number + 1
        return number


def draw(plan: Plan, slots: Slots, memory: mmap.mmap, slot_bytes: int, pipe: Connection) -> None:
    """One process."""
    libc = ctypes.CDLL(None)
    libc.prctl(SIGNAL_AT_PARENTS_DEATH, signal.SIGKILL)
    for parameter, value in KEPT.items():
        libc.mallopt(parameter, value)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tokens = Tokens(plan.checkpoint)
    while True:
        number = slots.take()
        kind, _ = make(plan, tokens, number, slots.of(number, memory, slot_bytes))
        pipe.send((number, kind))


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
        kind, _ = pool.take()
        drawn, tiles = drawn + plan.pictures(kind.tiles), tiles + plan.pictures(kind.tiles) * kind.tiles
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
