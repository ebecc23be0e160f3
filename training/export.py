"""The checkpoint that the app ships, from a training run.

    python export.py START_DIRECTORY RUN_DIRECTORY OUT_DIRECTORY [HEADS_FILE]

OUT_DIRECTORY gets the checkpoint; HEADS_FILE, auxiliary.safetensors beside this file unless given, the heads that only training needs.
Weights in bfloat16 under their published names; tables are zero for tiles that an aspect ratio does not use.
"""

import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from model import Shape

FILES = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
TABLES = ("tile_positional_embedding.embedding.weight", "gated_positional_embedding.tile_embedding.weight")


def export(start: Path, run: Path, out: Path, heads_file: Path = Path(__file__).parent / "auxiliary.safetensors") -> None:
    out.mkdir(parents=True, exist_ok=True)
    shape = Shape.read(start)
    state = torch.load(run / "state.pt", map_location="cpu", weights_only=True)
    weights = {}
    for name, tensor in state["average"].items():
        tensor = tensor.clone()
        if name.endswith(TABLES):
            table = tensor.view(len(shape.ratios) + 1, shape.max_tiles, -1)
            table[0] = 0
            for index, (rows, columns) in enumerate(shape.ratios):
                table[index + 1, rows * columns :] = 0
        weights[name] = tensor.to(torch.bfloat16).contiguous()
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    heads = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in state["auxiliary"].items()}
    save_file(heads, heads_file)
    for name in FILES:
        if (start / name).resolve() != (out / name).resolve():
            shutil.copy(start / name, out / name)


if __name__ == "__main__":
    export(*map(Path, sys.argv[1:5]))
