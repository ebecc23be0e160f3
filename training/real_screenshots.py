"""Lists question by question how a checkpoint reads the real screenshots.

python real_screenshots.py CHECKPOINT > real-screenshots/README.md
"""

import json
import sys
from pathlib import Path

import torch

from evaluate import Examiner

FOLDER = Path(__file__).parent / "real-screenshots"
HEAD = """# Real screenshots

Pictures that no generator of ours made: parts of a page in Chromium, xterm in two fonts, GTK dialogs (zenity), pages of LibreOffice
Writer and Calc, as a person would cut them out. Right means exactly the expected answer. Greedy, in PyTorch.
"""


def main(checkpoint: Path) -> None:
    torch.set_num_threads(1)
    examiner = Examiner(checkpoint, FOLDER)
    rows, right = [], 0
    for case in json.loads((FOLDER / "cases.json").read_text()):
        turn = case["turns"][-1]
        answer = examiner.answer(case["turns"], 60)
        right += answer == turn["answer"]
        name = Path(turn["image"]).stem
        rows.append(f"| [{name}]({turn['image']}) | {turn['ask']} | {turn['answer']} | {'yes' if answer == turn['answer'] else answer} |")
    print(f"{HEAD}\n**{right} of {len(rows)} right.**\n\n| picture | question | expected | right, or the answer |\n|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
