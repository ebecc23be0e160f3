"""What training wants: the losses, computed without waiting for the device.

Labels are tensors over the patches of all tiles, one after the other; see pictures.py.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from model import Auxiliary, Model
from pictures import IGNORE

# What is known of each patch: fields of a Picture.
LABELS = ("characters", "kinds", "colours", "lines")


@functools.cache
def rare(classes: int, device: torch.device) -> Tensor:
    """Weights of the classes: most patches hold nothing. Kept, as bringing them to the device again would wait for it."""
    return torch.tensor([0.1] + [1.0] * (classes - 1), device=device)


def letter_loss(characters: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """And the share of letters read right, patch by patch. characters [patches, slots, classes]; wanted [patches, slots]."""
    characters, wanted = characters.flatten(0, 1), wanted.flatten()
    losses = F.cross_entropy(characters, wanted, ignore_index=IGNORE, reduction="none")
    letters = wanted > 0
    count = letters.sum().clamp(min=1)
    loss = (losses * letters).sum() / count + (losses * ~letters).sum() / (~letters).sum().clamp(min=1) * 0.3
    return loss, ((characters.argmax(-1) == wanted) & letters).sum() / count


def auxiliary_loss(auxiliary: Auxiliary, features: Tensor, labels: dict[str, Tensor], letters: float = 1.0) -> tuple[Tensor, Tensor]:
    """And the share of letters read right. features [pictures, tiles, patches with the class token, features]; letters: their weight."""
    characters, kinds, colours, lines = auxiliary(features[:, :, 1:].flatten(0, 2))
    of_letters, right = letter_loss(characters, labels["characters"])
    of_things = sum(
        F.cross_entropy(predicted, labels[name], ignore_index=IGNORE, weight=rare(predicted.shape[-1], predicted.device))
        for predicted, name in ((kinds, "kinds"), (colours, "colours"))
    )
    known = (labels["lines"] != IGNORE).sum().clamp(min=1)
    of_lines = F.cross_entropy(lines, labels["lines"], ignore_index=IGNORE, reduction="sum") / known
    return letters * of_letters + 0.4 * of_things + 0.2 * of_lines, right


def answer_loss(model: Model, rows: dict[str, Tensor], seen: list[Tensor], watched: list[Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """And which answer tokens the model would have chosen itself. `watched` gets the weights of its cross-attention."""
    logits = model.logits(model.read(rows["tokens"], rows["positions"].float(), rows["segments"], rows["sees"], seen, watched)).float()
    wanted = rows["answers"] >= 0
    losses = F.cross_entropy(logits.flatten(0, 1), rows["targets"].flatten(), reduction="none").view_as(wanted)
    return (losses * wanted).sum() / wanted.sum(), (logits.argmax(-1) == rows["targets"]) | ~wanted
