"""The four configuration, grown from a checkpoint: larger tiles, and an encoder with more layers and wider ones.

    python grow.py ../resources/demo-model /tmp/start [--tile 224] [--layers 10] [--mlp 1024]

What is new does nothing at first: the layers and the wider part of the old ones write zeros until they have learned something. Without larger
tiles the checkpoint answers exactly as before. With them a patch keeps its size and its meaning; only positions are new.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from export import FILES
from model import Shape

LOCAL, POSITIONS = "vision_model.transformer.layers", "vision_model.gated_positional_embedding"
PRE_TILE = "vision_model.pre_tile_positional_embedding"


def places_of(old: int, new: int) -> list[int]:
    """Where the old layers stand among the new: the added ones behind them, as evenly as can be."""
    return [index * new // old for index in range(old)]


def deepen(weights: dict[str, Tensor], shape: Shape, layers: int) -> dict[str, Tensor]:
    """An added layer begins as the one before it, but writes nothing."""
    places = places_of(shape.local_layers, layers)
    grown = {name: tensor for name, tensor in weights.items() if not name.startswith(f"{LOCAL}.")}
    for layer in range(layers):
        source = max(index for index, place in enumerate(places) if place <= layer)
        for name, tensor in weights.items():
            prefix = f"{LOCAL}.{source}."
            if name.startswith(prefix):
                silent = layer not in places and name.endswith(("o_proj.weight", "fc2.weight", "fc2.bias"))
                grown[f"{LOCAL}.{layer}.{name.removeprefix(prefix)}"] = torch.zeros_like(tensor) if silent else tensor.clone()
    return grown


def widen(weights: dict[str, Tensor], mlp: int) -> None:
    """The MLPs of the encoder: the new rows of the first matrix are drawn like the old ones, those of the four are zero."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in list(weights.items()):
        if not name.startswith("vision_model.") or ".mlp.fc" not in name:
            continue
        if name.endswith("fc1.weight"):
            added = torch.randn(mlp - len(tensor), tensor.shape[1], generator=generator) * tensor.std()
            weights[name] = torch.cat([tensor, added])
        elif name.endswith("fc1.bias"):
            weights[name] = F.pad(tensor, (0, mlp - len(tensor)))
        elif name.endswith("fc2.weight"):
            weights[name] = F.pad(tensor, (0, mlp - tensor.shape[1]))


def canvas_of(weights: dict[str, Tensor], shape: Shape, ratio: int) -> tuple[Tensor, Tensor]:
    """All that is added by where things lie: to the class tokens of the tiles in use, and to the patches [tiles, rows, columns, width].

    ratio: index into shape.ratios.
    """
    rows, columns = shape.ratios[ratio]
    side, width, used = shape.tile // shape.patch, shape.vision_width, rows * columns
    gate, of_tile = weights[f"{POSITIONS}.gate"].tanh(), weights[f"{PRE_TILE}.gate"].tanh()
    own = weights[f"{POSITIONS}.tile_embedding.weight"][ratio + 1].view(shape.max_tiles, shape.patches, width)[:used]
    added = (1 - gate) * weights[f"{POSITIONS}.embedding"] + gate * own
    tile = of_tile * weights[f"{PRE_TILE}.embedding.weight"][ratio + 1].view(shape.max_tiles, width)[:used]
    return added[:, 0], (added[:, 1:] + tile[:, None]).view(used, side, side, width)


def enlarge(weights: dict[str, Tensor], shape: Shape) -> None:
    """Positions for tiles twice as wide and high.

    A tile is what two by two tiles were: to its patches is added what was added there, so that neighbours are found as before. Among several, each
    differs from a tile alone by what the old ones of this arrangement differed in the mean. (Of 1,418 letters on one tile the heads
    name 89 % at once, 84 % with the positions of a tile interpolated, and 86 % with them repeated; of 312 on four 96, 90 and 94 %.)
    """
    _, four = canvas_of(weights, shape, shape.ratios.index((2, 2)))
    side, width = shape.tile // shape.patch, shape.vision_width
    alone = four.view(2, 2, side, side, width).transpose(1, 2).reshape(4 * side * side, width)
    class_alone, patches_alone = canvas_of(weights, shape, shape.ratios.index((1, 1)))
    gate = weights[f"{POSITIONS}.gate"].tanh()
    own = torch.zeros(len(shape.ratios) + 1, shape.max_tiles, 1 + len(alone), width)
    for ratio, (rows, columns) in enumerate(shape.ratios):
        of_class, patches = canvas_of(weights, shape, ratio)
        own[ratio + 1, : rows * columns, 0] = (of_class - class_alone) / gate
        own[ratio + 1, : rows * columns, 1:] = ((patches.mean((1, 2)) - patches_alone.mean((1, 2))) / gate)[:, None]
    weights[f"{POSITIONS}.embedding"] = torch.cat([class_alone, alone]) / (1 - gate)
    weights[f"{POSITIONS}.tile_embedding.weight"] = own.flatten(1)
    # It is in the tables now.
    weights[f"{PRE_TILE}.embedding.weight"] = torch.zeros_like(weights[f"{PRE_TILE}.embedding.weight"])


def grow(source: Path, target: Path, tile: int, layers: int, mlp: int) -> int:
    """Returns the number of parameters."""
    shape = Shape.read(source)
    if tile not in (shape.tile, 2 * shape.tile) or layers < shape.local_layers or mlp < shape.vision_mlp:
        raise SystemExit(
            f"{source} has tiles of {shape.tile}, {shape.local_layers} layers and MLPs of {shape.vision_mlp}: "
            "it can keep its tiles or double them, and have as many or more of the others."
        )
    weights = {name: tensor.float() for name, tensor in load_file(source / "model.safetensors").items()}
    if tile != shape.tile:
        enlarge(weights, shape)
    weights = deepen(weights, shape, layers)
    widen(weights, mlp)
    target.mkdir(parents=True, exist_ok=True)
    config, pixels = (json.loads((source / name).read_text()) for name in ("config.json", "preprocessor_config.json"))
    places = places_of(shape.local_layers, layers)
    config["vision_config"] |= {
        "image_size": tile,
        "num_hidden_layers": layers,
        "intermediate_size": mlp,
        "intermediate_layers_indices": [places[index] for index in shape.features_at],
    }
    pixels["size"] = {"height": tile, "width": tile}
    for name in FILES:
        shutil.copy(source / name, target / name)
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (target / "preprocessor_config.json").write_text(json.dumps(pixels, indent=1) + "\n")
    save_file({name: tensor.bfloat16().contiguous() for name, tensor in weights.items()}, target / "model.safetensors", {"format": "pt"})
    return sum(tensor.numel() for tensor in weights.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--tile", type=int, default=224)
    parser.add_argument("--layers", type=int, default=10)
    parser.add_argument("--mlp", type=int, default=1024)
    options = parser.parse_args()
    count = grow(options.source, options.target, options.tile, options.layers, options.mlp)
    print(f"{count / 1e6:.2f} M parameters, {count * 2 / 1e6:.1f} MB")
