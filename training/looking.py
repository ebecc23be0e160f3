"""A loss on the weights of cross-attention: while a character of the answer is written, some heads look at the patch that holds it."""

import torch
from torch import Tensor

from places import NOWHERE

# Cross layer, counted from the first: its heads that learn it. They are the ones that did it most before anything asked them to, one for
# each head of keys; the others stay free.
HEADS = {0: (1, 4), 1: (2, 3)}
# Part of a run, at its end, over which the loss is faded out: then the heads settle on what reads best.
FADE = 0.3


def look_weight(left: float) -> float:
    """1 for most of the run, then falling to 0. `left`: the share of the run that is still to come."""
    return max(0.0, min(1.0, left / FADE))


def wanted_keys(looks: Tensor, sees: Tensor, keys: int) -> tuple[Tensor, Tensor, Tensor]:
    """Row, position and key of every weight that should be 1.

    looks [rows, length]: places in the picture that a position sees; sees: which of the row's pictures that is; keys: places of a picture.
    """
    rows, positions = (looks != NOWHERE).nonzero(as_tuple=True)
    return rows, positions, looks[rows, positions] + sees[rows, positions] * keys


def look_loss(watched: list[Tensor], looks: Tensor, sees: Tensor, keys: int) -> tuple[Tensor, float]:
    """Mean of -log(weight) over the learning heads, and the share of their weight that lies on the wanted patch.

    watched: for each cross layer its weights [rows, heads, length, keys]. Zero and one where nothing is to be looked at.
    """
    rows, positions, wanted = wanted_keys(looks, sees, keys)
    if not len(rows):
        return torch.zeros(()), 1.0
    weights = torch.cat([watched[layer][rows, :, positions, wanted][:, list(heads)] for layer, heads in HEADS.items()], 1)
    return -(weights + 1e-6).log().mean(), weights.mean().item()
