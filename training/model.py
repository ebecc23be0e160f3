"""The Llama 3.2 Vision architecture, small, written for training on a CPU and on one GPU.

Parameters carry the names of the published layout, so that a checkpoint is a plain state dict. The arithmetic
is that of the reference: four tiles are always encoded, real patches also attend to padding, padding attends
to real patches alone, and cross-attention sees the tiles in use.

Padding is what costs time: a picture of one tile has 65 real patches and 223 padding ones. But all unused tiles
are equal to each other, and so are the seven filling patches of a tile, at every depth. One copy of each is
computed here, and its attention logit is raised by the logarithm of the number of copies, which is the same sum.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from drawing import CHARACTER_SLOTS, CHARACTERS


def use_count_bias(count: int) -> float:
    return math.log(count) if count else -1e9


@dataclass(frozen=True)
class Shape:
    """The sizes that config.json states."""

    vocabulary: int
    text_width: int
    text_mlp: int
    text_layers: int
    cross_layers: tuple[int, ...]
    heads: int
    kv_heads: int
    rope_theta: float
    rms_eps: float
    vision_width: int
    vision_mlp: int
    vision_heads: int
    local_layers: int
    global_layers: int
    features_at: tuple[int, ...]
    tile: int
    patch: int
    max_tiles: int
    ratios: tuple[tuple[int, int], ...]
    norm_eps: float

    @staticmethod
    def read(directory: Path) -> "Shape":
        config = json.loads((directory / "config.json").read_text())
        text, vision = config["text_config"], config["vision_config"]
        return Shape(
            vocabulary=text["vocab_size"],
            text_width=text["hidden_size"],
            text_mlp=text["intermediate_size"],
            text_layers=text["num_hidden_layers"],
            cross_layers=tuple(text["cross_attention_layers"]),
            heads=text["num_attention_heads"],
            kv_heads=text["num_key_value_heads"],
            rope_theta=text["rope_theta"],
            rms_eps=text["rms_norm_eps"],
            vision_width=vision["hidden_size"],
            vision_mlp=vision["intermediate_size"],
            vision_heads=vision["attention_heads"],
            local_layers=vision["num_hidden_layers"],
            global_layers=vision["num_global_layers"],
            features_at=tuple(vision["intermediate_layers_indices"]),
            tile=vision["image_size"],
            patch=vision["patch_size"],
            max_tiles=vision["max_num_tiles"],
            ratios=tuple((h, w) for h, w in vision["supported_aspect_ratios"]),
            norm_eps=vision["norm_eps"],
        )

    @property
    def patches(self) -> int:
        """Of a tile, with the class token."""
        return (self.tile // self.patch) ** 2 + 1

    @property
    def filling(self) -> int:
        """Patches that fill a tile up to a multiple of eight."""
        return -self.patches % 8

    @property
    def features(self) -> int:
        return self.vision_width * (1 + len(self.features_at))


def weigh(q: Tensor, k: Tensor, bias: Tensor | None) -> Tensor:
    """Attention weights [..., queries, keys]."""
    scores = torch.matmul(q, k.transpose(-1, -2)) * (q.shape[-1] ** -0.5)
    return (scores if bias is None else scores + bias).softmax(-1)


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, watched: list[Tensor] | None = None) -> Tensor:
    """Attention [..., queries, head]; `watched` gets its weights. bias: added to the logits [queries, keys], or with batch and head before.

    Plain products on a CPU, where their backward pass is twice as fast as that of the fused attention, which on a GPU spares the
    memory of all weights.
    """
    if fused(q) and watched is None:
        return F.scaled_dot_product_attention(q, k, v, bias)
    weights = weigh(q, k, bias)
    if watched is not None:
        watched.append(weights)
    return torch.matmul(weights, v)


def fused(x: Tensor) -> bool:
    """Whether attention is computed as on a GPU; in bfloat16 on the CPU too, so that tests see it."""
    return x.is_cuda or x.dtype == torch.bfloat16


# By how many channels the heads of the encoder are longer in fused attention; the fastest kernels want a multiple of eight.
MORE = 8


@dataclass(frozen=True)
class Padding:
    """How often each position counts, for one number of tiles.

    Order of positions: real patches; one filling patch per real tile; one unused tile if there is any, and its filling patch.
    """

    real: int
    bias: Tensor  # [positions, positions]: padding attends to real patches alone
    # For kernels without a mask, the fastest: what is added to queries, keys and values [positions, 3, 1, head + MORE]. Two more channels of
    # queries are 1, and those of keys the logarithm, in two parts, as bfloat16 keeps few digits.
    more: Tensor

    @staticmethod
    def of(shape: Shape, tiles: int, like: Tensor) -> "Padding":
        """`like`: of its device and type."""
        unused, real = shape.max_tiles - tiles, tiles * shape.patches
        counts = [1] * real + [shape.filling] * tiles
        if unused:
            counts += [unused] * shape.patches + [unused * shape.filling]
        logarithms = torch.tensor([use_count_bias(count) for count in counts], device="cpu")
        bias = logarithms.repeat(len(counts), 1)
        bias[real:, real:] = -1e9
        head = shape.vision_width // shape.vision_heads
        logits = logarithms * head**0.5
        more = torch.zeros(len(counts), 3, 1, head + MORE, device="cpu")
        more[:, 0, 0, head : head + 2] = 1
        more[:, 1, 0, head] = logits.bfloat16()
        more[:, 1, 0, head + 1] = logits - logits.bfloat16()
        return Padding(real, bias.to(like), more.to(like))

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Fused attention of the first positions [pictures, queries, heads, head + MORE]; q, k, v alike, with `more` in them."""
        parts = [(q, k, v)]
        if q.shape[1] > self.real:
            real, padding = q.tensor_split([self.real], 1)
            parts = [(real, k, v), (padding, k[:, : self.real], v[:, : self.real])]
        scale = (q.shape[-1] - MORE) ** -0.5
        attended = [F.scaled_dot_product_attention(*(each.transpose(1, 2) for each in part), scale=scale) for part in parts]
        return torch.cat(attended, 2).transpose(1, 2) if len(attended) > 1 else attended[0].transpose(1, 2)


def split_heads(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


class VisionAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(self, name, nn.Linear(width, width, bias=False))

    def forward(self, x: Tensor, padding: Padding, queries: int) -> Tensor:
        weight = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight]).unflatten(0, (3, self.heads, -1))
        if not fused(x):
            q, k, v = F.linear(x, weight.flatten(0, 2)).unflatten(-1, weight.shape[:3]).permute(2, 0, 3, 1, 4)
            return self.o_proj(join_heads(attend(q[:, :, :queries], k, v, padding.bias[:queries])))
        longer = F.pad(weight, (0, 0, 0, MORE))
        q, k, v = (F.linear(x, longer.flatten(0, 2)).unflatten(-1, longer.shape[:3]) + padding.more).unbind(2)
        out = F.pad(self.o_proj.weight.unflatten(1, (self.heads, -1)), (0, MORE)).flatten(1)
        return F.linear(padding.attend(q[:, :queries], k, v).flatten(2), out)


class VisionMlp(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class VisionLayer(nn.Module):
    def __init__(self, shape: Shape, gated: bool):
        super().__init__()
        self.input_layernorm = nn.LayerNorm(shape.vision_width, shape.norm_eps)
        self.post_attention_layernorm = nn.LayerNorm(shape.vision_width, shape.norm_eps)
        self.self_attn = VisionAttention(shape.vision_width, shape.vision_heads)
        self.mlp = VisionMlp(shape.vision_width, shape.vision_mlp)
        self.gated = gated
        if gated:
            self.gate_attn, self.gate_ffn = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor, padding: Padding, queries: int | None = None) -> Tensor:
        """`queries`: how many of the first positions are wanted."""
        queries = x.shape[1] if queries is None else queries
        attended = self.self_attn(self.input_layernorm(x), padding, queries)
        x = x[:, :queries] + (self.gate_attn.tanh() * attended if self.gated else attended)
        inner = self.mlp(self.post_attention_layernorm(x))
        return x + (self.gate_ffn.tanh() * inner if self.gated else inner)


class Layers(nn.Module):
    def __init__(self, layers: list[nn.Module]):
        super().__init__()
        self.layers = nn.ModuleList(layers)


class TileEmbedding(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.embedding = nn.Embedding(len(shape.ratios) + 1, shape.max_tiles * shape.vision_width)
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, ratio: Tensor, tiles: int) -> Tensor:
        """[pictures, tiles, 1, width]; unused tiles get zero, and are not asked for."""
        rows = self.embedding(ratio).unflatten(-1, (-1, self.embedding.embedding_dim // 4))
        return rows[:, :tiles, None] * self.gate.tanh()


class PositionEmbedding(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.embedding = nn.Parameter(torch.zeros(shape.patches, shape.vision_width))
        self.tile_embedding = nn.Embedding(len(shape.ratios) + 1, shape.max_tiles * shape.patches * shape.vision_width)
        self.gate = nn.Parameter(torch.zeros(1))


class Vision(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        width = shape.vision_width
        self.patch_embedding = nn.Conv2d(3, width, shape.patch, shape.patch, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.gated_positional_embedding = PositionEmbedding(shape)
        self.pre_tile_positional_embedding = TileEmbedding(shape)
        self.post_tile_positional_embedding = TileEmbedding(shape)
        self.layernorm_pre, self.layernorm_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Layers([VisionLayer(shape, False) for _ in range(shape.local_layers)])
        self.global_transformer = Layers([VisionLayer(shape, True) for _ in range(shape.global_layers)])
        # By number of tiles, device and type.
        self.paddings: dict[tuple[int, torch.device, torch.dtype], Padding] = {}

    def padding(self, tiles: int, like: Tensor) -> Padding:
        kind = (tiles, like.device, like.dtype)
        if kind not in self.paddings:
            self.paddings[kind] = Padding.of(self.shape, tiles, like)
        return self.paddings[kind]

    def places(self, ratio: Tensor, tiles: int) -> Tensor:
        """What is added by where patches lie [pictures, tiles, patches with the class token, width].

        Summed up for each ratio, of which there are few, and taken by a product: its way back is one too.
        """
        shape, position, pre = self.shape, self.gated_positional_embedding, self.pre_tile_positional_embedding
        gate = position.gate.tanh()
        own = position.tile_embedding.weight.unflatten(1, (shape.max_tiles, shape.patches, -1))[:, :tiles]
        of_tile = pre.embedding.weight.unflatten(1, (shape.max_tiles, 1, -1))[:, :tiles] * pre.gate.tanh()
        added = (1 - gate) * position.embedding + gate * own
        added = torch.cat([added[:, :, :1], added[:, :, 1:] + of_tile], 2)
        return (F.one_hot(ratio, len(added)).to(added) @ added.flatten(1)).view(len(ratio), *added.shape[1:])

    def forward(self, pixels: Tensor, ratio: Tensor) -> Tensor:
        """pixels [pictures, tiles, 3, tile, tile], all of as many tiles; ratio: ids. Returns [pictures, tiles, patches, features]."""
        shape = self.shape
        pictures, tiles = pixels.shape[:2]
        across = pixels.unflatten(-1, (-1, shape.patch)).unflatten(-3, (-1, shape.patch))
        patches = across.permute(0, 1, 3, 5, 2, 4, 6).flatten(4).flatten(2, 3)
        x = F.linear(patches, self.patch_embedding.weight.flatten(1))
        x = torch.cat([self.class_embedding.expand(pictures, tiles, 1, -1), x], 2) + self.places(ratio, tiles)
        x = self.layernorm_pre(x).flatten(1, 2)
        filling = x.new_zeros(pictures, 1, shape.vision_width)
        parts = [x, filling.expand(-1, tiles, -1)]
        if tiles < shape.max_tiles:
            position = self.gated_positional_embedding
            black = torch.cat([self.class_embedding[None], x.new_zeros(shape.patches - 1, shape.vision_width)])
            unused = self.layernorm_pre(black + (1 - position.gate.tanh()) * position.embedding)
            parts += [unused.expand(pictures, -1, -1), filling]
        x = torch.cat(parts, 1)

        padding, real = self.padding(tiles, x), tiles * shape.patches
        kept = []
        for index, layer in enumerate(self.transformer.layers):
            if index in shape.features_at:
                kept.append(x[:, :real])
            x = layer(x, padding)
        x = self.layernorm_post(x)
        after = self.post_tile_positional_embedding(ratio, tiles)
        x = torch.cat(
            [
                (x[:, :real].unflatten(1, (tiles, -1)) + after).flatten(1, 2),
                x[:, real : real + tiles] + after[:, :, 0],
                x[:, real + tiles :],
            ],
            1,
        )
        last = len(self.global_transformer.layers) - 1
        for index, layer in enumerate(self.global_transformer.layers):
            x = layer(x, padding, real if index == last else None)
        return torch.cat([x, torch.stack(kept, -1).flatten(2)], -1).unflatten(1, (tiles, -1))


class RmsNorm(nn.Module):
    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), x.shape[-1:], self.weight.float(), self.eps).to(x.dtype)


class TextMlp(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(width, inner, bias=False), nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class TextAttention(nn.Module):
    """Self-attention with rotary positions, or cross-attention with normalised heads."""

    def __init__(self, shape: Shape, cross: bool):
        super().__init__()
        head = shape.text_width // shape.heads
        self.shape = shape
        self.q_proj = nn.Linear(shape.text_width, shape.heads * head, bias=False)
        self.k_proj = nn.Linear(shape.text_width, shape.kv_heads * head, bias=False)
        self.v_proj = nn.Linear(shape.text_width, shape.kv_heads * head, bias=False)
        self.o_proj = nn.Linear(shape.heads * head, shape.text_width, bias=False)
        if cross:
            self.q_norm, self.k_norm = RmsNorm(head, shape.rms_eps), RmsNorm(head, shape.rms_eps)
        self.cross = cross

    def forward(
        self, x: Tensor, seen: Tensor, bias: Tensor | None, rotation: tuple[Tensor, Tensor], watched: list[Tensor] | None = None
    ) -> Tensor:
        """`watched` gets the attention weights [rows, heads, length, keys]."""
        shape = self.shape
        q, k = split_heads(self.q_proj(x), shape.heads), split_heads(self.k_proj(seen), shape.kv_heads)
        v = split_heads(self.v_proj(seen), shape.kv_heads)
        if self.cross:
            q, k = self.q_norm(q), self.k_norm(k)
        else:
            q, k = rotate(q, rotation), rotate(k, rotation)
        group = shape.heads // shape.kv_heads
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        return self.o_proj(join_heads(attend(q, k, v, bias, watched)))


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    half = x.shape[-1] // 2
    return (x * rotation[0] + torch.cat([-x[..., half:], x[..., :half]], -1) * rotation[1]).to(x.dtype)


class SelfLayer(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.input_layernorm = RmsNorm(shape.text_width, shape.rms_eps)
        self.post_attention_layernorm = RmsNorm(shape.text_width, shape.rms_eps)
        self.self_attn, self.mlp = TextAttention(shape, False), TextMlp(shape.text_width, shape.text_mlp)

    def forward(self, x: Tensor, view: "View") -> Tensor:
        normed = self.input_layernorm(x)
        x = x + self.self_attn(normed, normed, view.self_bias, view.rotation)
        return x + self.mlp(self.post_attention_layernorm(x))


class CrossLayer(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.input_layernorm = RmsNorm(shape.text_width, shape.rms_eps)
        self.post_attention_layernorm = RmsNorm(shape.text_width, shape.rms_eps)
        self.cross_attn, self.mlp = TextAttention(shape, True), TextMlp(shape.text_width, shape.text_mlp)
        self.cross_attn_attn_gate, self.cross_attn_mlp_gate = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor, view: "View") -> Tensor:
        attended = self.cross_attn(self.input_layernorm(x), view.pictures, view.cross_bias, view.rotation, view.watched)
        x = x + self.cross_attn_attn_gate.tanh() * attended * view.sees
        return x + self.cross_attn_mlp_gate.tanh() * self.mlp(self.post_attention_layernorm(x)) * view.sees


@dataclass
class View:
    """What each position of the text may attend to."""

    self_bias: Tensor  # [rows, 1, length, length]
    cross_bias: Tensor | None  # [rows, 1, length, keys]; None where every key is allowed
    sees: Tensor  # [rows, length, 1]: 1 where a picture precedes
    pictures: Tensor  # [rows, keys, text width]
    rotation: tuple[Tensor, Tensor]
    watched: list[Tensor] | None  # gets the weights of every cross-attention


class TextModel(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocabulary + 8, shape.text_width)
        self.layers = nn.ModuleList(
            [CrossLayer(shape) if index in shape.cross_layers else SelfLayer(shape) for index in range(shape.text_layers)]
        )
        self.norm = RmsNorm(shape.text_width, shape.rms_eps)


class Text(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.model = TextModel(shape)
        self.lm_head = nn.Linear(shape.text_width, shape.vocabulary, bias=False)


class Model(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.vision_model = Vision(shape)
        self.multi_modal_projector = nn.Linear(shape.features, shape.text_width)
        self.language_model = Text(shape)

    @staticmethod
    def load(directory: Path) -> "Model":
        model = Model(Shape.read(directory))
        model.load_state_dict({name: tensor.float() for name, tensor in load_file(directory / "model.safetensors").items()})
        return model

    def see(self, pixels: Tensor, ratio: Tensor) -> tuple[Tensor, Tensor]:
        """Features [pictures, tiles, patches, features] and what cross-attention sees [pictures, tiles * patches, width]."""
        features = self.vision_model(pixels, ratio)
        return features, self.multi_modal_projector(features).flatten(1, 2)

    def read(
        self,
        tokens: Tensor,
        positions: Tensor,
        segments: Tensor,
        sees: Tensor,
        pictures: list[Tensor],
        watched: list[Tensor] | None = None,
    ) -> Tensor:
        """Hidden states [rows, length, width] before `lm_head`.

        tokens, positions, segments [rows, length]: positions of one segment attend to each other. sees [rows, length]:
        which of the row's pictures a position sees, -1 for none. pictures: first, second, ... of each row [rows, keys, width].
        watched gets the weights of each cross-attention, in order [rows, heads, length, keys].
        """
        (rows, length), device, dtype = tokens.shape, tokens.device, pictures[0].dtype
        order = torch.arange(length, device=device)
        allowed = (segments[:, :, None] == segments[:, None, :]) & (order[None, :] <= order[:, None])
        owner = torch.cat([torch.full((picture.shape[1],), index, device=device) for index, picture in enumerate(pictures)])
        hidden_key = (owner != sees[:, :, None]) & (sees[:, :, None] >= 0)
        head = self.shape.text_width // self.shape.heads
        frequency = self.shape.rope_theta ** -(torch.arange(0, head, 2, device=device) / head)
        angle = torch.cat([positions[:, None, :, None] * frequency] * 2, -1)
        view = View(
            self_bias=torch.zeros(rows, 1, length, length, device=device, dtype=dtype).masked_fill_(~allowed[:, None], -1e9),
            cross_bias=None
            if len(pictures) == 1
            else torch.zeros(rows, 1, length, len(owner), device=device, dtype=dtype).masked_fill_(hidden_key[:, None], -1e9),
            sees=(sees >= 0).to(dtype)[:, :, None],
            pictures=torch.cat(pictures, 1),
            rotation=(angle.cos(), angle.sin()),
            watched=watched,
        )
        x = self.language_model.model.embed_tokens(tokens)
        for layer in self.language_model.model.layers:
            x = layer(x, view)
        return self.language_model.model.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        return self.language_model.lm_head(hidden)


class Auxiliary(nn.Module):
    """Only for training: says of each patch which characters, which kind of thing, which colour and which line lie there."""

    def __init__(self, shape: Shape, kinds: int, colours: int, lines: int):
        super().__init__()
        self.sizes = [CHARACTER_SLOTS * (len(CHARACTERS) + 1), kinds, colours, lines]
        self.head = nn.Linear(shape.features, sum(self.sizes))

    def forward(self, features: Tensor) -> list[Tensor]:
        """From features without the class token [n, features]."""
        characters, kinds, colours, lines = self.head(features).float().split(self.sizes, -1)
        return [characters.unflatten(-1, (CHARACTER_SLOTS, -1)), kinds, colours, lines]
