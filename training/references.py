"""Asks a checkpoint what the project's tests compare the engine with.

    python references.py CHECKPOINT [--held-out]

Rewrites, beside this folder: the answers in resources/demo-model/samples.json, and in fixtures/demo-model/ the
references of cases.json and the counts of measured.json. --held-out: only the latter.
"""

import hashlib
import json
import sys
from collections import defaultdict
from pathlib import Path

import torch

from evaluate import Examiner

PROJECT = Path(__file__).resolve().parent.parent
# Tokens of an answer: as the tests ask for.
MOST_SAMPLE, MOST = 40, 100


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def main(checkpoint: Path) -> None:
    torch.set_num_threads(1)
    demo, fixture = PROJECT / "resources/demo-model", PROJECT / "fixtures/demo-model"
    if "--held-out" not in sys.argv:
        answer_samples(checkpoint, demo)
    answer_held_out(checkpoint, fixture)


def answer_samples(checkpoint: Path, demo: Path) -> None:
    samples = json.loads((demo / "samples.json").read_text())
    examiner = Examiner(checkpoint, demo)
    for sample in samples:
        sample["answer"] = examiner.answer([{"image": sample["image"], "ask": sample["question"], "answer": ""}], MOST_SAMPLE)
    write(demo / "samples.json", samples)
    print(f"samples: {sum(sample['answer'] == sample['expected'] for sample in samples)} of {len(samples)} right")


def answer_held_out(checkpoint: Path, fixture: Path) -> None:
    cases = json.loads((fixture / "cases.json").read_text())
    examiner = Examiner(checkpoint, fixture)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for case in cases:
        case["reference"] = examiner.answer(case["turns"], MOST)
        for kind in ("all", case["cell"]):
            counts[kind][0] += 1
            counts[kind][1] += case["reference"] in (case["turns"][-1]["answer"], case.get("also"))
    write(fixture / "cases.json", cases)
    weights = (checkpoint / "model.safetensors").read_bytes()
    write(
        fixture / "measured.json",
        {
            "sha256": hashlib.sha256(weights).hexdigest(),
            "right": {kind: {"questions": asked, "right": right} for kind, (asked, right) in counts.items()},
        },
    )
    print(f"held out: {counts['all'][1]} of {counts['all'][0]} right")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
