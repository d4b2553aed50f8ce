"""The demo model: a LLaVA-NeXT small enough to train on two CPU cores.

`Llava` here is the training twin of Hugging Face's `LlavaNextForConditionalGeneration`: the same mathematics with the
same parameter names (`hf.py` loads one into the other and `evaluate.py --check` compares them), but written for speed:
matrix products in bfloat16 over float32 master weights, one prompt for a whole batch, logits for caption tokens only.
"""

import math
import typing

import torch
import torch.nn as nn
import torch.nn.functional as F

from shared import keys

TILE = 112  # width and height, in pixels, of the tiles that the tower takes
PATCH = 14
SIDE = TILE // PATCH  # patches along one side of a tile
VISION = dict(width=128, heads=4, ff=512, blocks=4, eps=1e-5)
TEXT = dict(width=160, heads=5, ff=480, blocks=4, eps=1e-5, theta=10000.0, context=4096)
MEAN, STD = keys.MEAN, keys.STD
PINPOINTS = [[112, 224], [224, 112], [224, 224], [336, 112], [112, 336]]

COMPUTE = torch.bfloat16  # type of the matrix products; evaluate.py sets float32


def linear(x, layer):
    """x [..., in] through `layer` in the compute type; the result has that type too."""
    bias = None if layer.bias is None else layer.bias.to(COMPUTE)
    return F.linear(x.to(COMPUTE), layer.weight.to(COMPUTE), bias)


def attend(q, k, v, causal=False):
    """Attention, [n, heads, t, d] each.

    On a CPU the fused form's backward pass is slow for the tower's short sequences; the plain form, compiled, is twice
    as fast.
    """
    if causal:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    return scores.float().softmax(-1).to(v.dtype) @ v


class Attention(nn.Module):
    def __init__(self, width, heads, bias):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width, bias=bias) for _ in range(3))
        self.bias = bias

    def qkv(self, x):
        """x [n, t, width] -> q, k, v, each [n, heads, t, width / heads], computed by one matrix product."""
        projections = (self.q_proj, self.k_proj, self.v_proj)
        weight = torch.cat([p.weight for p in projections]).to(COMPUTE)
        bias = torch.cat([p.bias for p in projections]).to(COMPUTE) if self.bias else None
        n, t, width = x.shape
        y = F.linear(x.to(COMPUTE), weight, bias).view(n, t, 3, self.heads, width // self.heads)
        return y.permute(2, 0, 3, 1, 4).unbind(0)


class VisionBlock(nn.Module):
    """One pre-norm CLIP block with quick_gelu."""

    def __init__(self, width, heads, ff, eps):
        super().__init__()
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.self_attn = Attention(width, heads, True)
        self.self_attn.out_proj = nn.Linear(width, width)
        self.mlp = nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(width, ff), nn.Linear(ff, width)

    def forward(self, x):
        q, k, v = self.self_attn.qkv(self.layer_norm1(x))
        y = attend(q, k, v).transpose(1, 2).reshape(x.shape)
        x = x + linear(y, self.self_attn.out_proj)
        h = linear(self.layer_norm2(x), self.mlp.fc1)
        return x + linear(h * torch.sigmoid(1.702 * h), self.mlp.fc2)


class Tower(nn.Module):
    """Tiles to image features: CLIP's blocks up to Hugging Face's hidden_states[-2], then the projector."""

    def __init__(self, vision=VISION, out=TEXT["width"]):
        super().__init__()
        width = vision["width"]
        self.patch = nn.Linear(3 * PATCH * PATCH, width, bias=False)
        self.cls = nn.Parameter(torch.zeros(width))
        self.position = nn.Parameter(torch.zeros(SIDE * SIDE + 1, width))
        self.pre_norm = nn.LayerNorm(width, vision["eps"])
        self.blocks = nn.ModuleList(
            VisionBlock(width, vision["heads"], vision["ff"], vision["eps"]) for _ in range(vision["blocks"])
        )
        self.linear_1, self.linear_2 = nn.Linear(width, out), nn.Linear(out, out)
        self.register_buffer("mean", torch.tensor(MEAN) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(STD) * 255, persistent=False)

    def forward(self, tiles):
        """uint8 tiles [n, 112, 112, 3] -> features [n, 64, text width], row-major patches, CLS dropped."""
        n = tiles.shape[0]
        x = (tiles.float() - self.mean) / self.std
        x = x.view(n, SIDE, PATCH, SIDE, PATCH, 3).permute(0, 1, 3, 5, 2, 4).reshape(n, SIDE * SIDE, -1)
        x = linear(x, self.patch).float()
        x = torch.cat([self.cls.expand(n, 1, -1), x], 1) + self.position
        x = self.pre_norm(x)
        for block in self.blocks:
            x = block(x)
        x = linear(x[:, 1:], self.linear_1)
        return linear(F.gelu(x), self.linear_2)


def rotate(x, cos, sin):
    """Rotary embedding in Hugging Face's half-split layout. x [n, heads, t, d], cos and sin [t, d / 2]."""
    a, b = x.float().chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1).to(x.dtype)


class TextBlock(nn.Module):
    """One llama block: RMS norm, rotary attention, SwiGLU."""

    def __init__(self, width, heads, ff, eps):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = nn.RMSNorm(width, eps), nn.RMSNorm(width, eps)
        self.self_attn = Attention(width, heads, False)
        self.self_attn.o_proj = nn.Linear(width, width, bias=False)
        self.mlp = nn.Module()
        self.mlp.gate_proj, self.mlp.up_proj = nn.Linear(width, ff, bias=False), nn.Linear(width, ff, bias=False)
        self.mlp.down_proj = nn.Linear(ff, width, bias=False)

    def forward(self, x, cos, sin):
        q, k, v = self.self_attn.qkv(self.input_layernorm(x))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        y = attend(q, k, v, causal=True).transpose(1, 2).reshape(x.shape)
        x = x + linear(y, self.self_attn.o_proj)
        h = self.post_attention_layernorm(x).to(COMPUTE)
        return x + linear(F.silu(linear(h, self.mlp.gate_proj)) * linear(h, self.mlp.up_proj), self.mlp.down_proj)


class Language(nn.Module):
    def __init__(self, vocab, text=TEXT):
        super().__init__()
        width = text["width"]
        self.embed_tokens = nn.Embedding(vocab, width)
        self.layers = nn.ModuleList(
            TextBlock(width, text["heads"], text["ff"], text["eps"]) for _ in range(text["blocks"])
        )
        self.norm = nn.RMSNorm(width, text["eps"])
        self.lm_head = nn.Linear(width, vocab, bias=False)
        head = width // text["heads"]
        inverse = text["theta"] ** (-torch.arange(0, head, 2).float() / head)
        angle = torch.arange(text["context"])[:, None] * inverse
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, x, last, probe=(0, 0)):
        """Embeddings x [n, t, width] -> logits [n, last, vocab] of the last `last` positions.

        With a `probe` (first, end) of positions, also returns the hidden states of those positions after the third
        block, for an auxiliary loss.
        """
        t = x.shape[1]
        cos, sin = self.cos[:t], self.sin[:t]
        held = None
        for number, layer in enumerate(self.layers):
            x = layer(x, cos, sin)
            if number == 2:
                held = x[:, probe[0] : probe[1]]
        logits = linear(self.norm(x[:, -last:]), self.lm_head).float()
        return (logits, held) if probe[1] else logits


class Pooled(typing.NamedTuple):
    """Frames as LLaVA-NeXT's video scripts read them: one tile each, its patches averaged stride x stride."""

    stride: int
    newline: bool  # whether a newline ends each frame


def pack(features, frames, geometry, newline):
    """Tile features -> packed image features, as LLaVA-NeXT's spatial_unpad does it.

    features [n * frames * tiles, 64, c] with the tiles of a frame adjacent (overview first, then row-major).
    geometry None: one tile (overview) a frame -> 64 + 1 newline; Pooled: one tile a frame -> (8 / stride)^2 features;
    else (gw, gh, left, top, cols, rows) in tiles and patches, as `preprocess.geometry` gives it. Returns
    [n, frames * tokens, c].
    """
    c = features.shape[-1]
    newline = newline.to(features.dtype)
    if isinstance(geometry, Pooled):
        x = features.transpose(1, 2).reshape(-1, c, SIDE, SIDE)
        x = F.avg_pool2d(x, geometry.stride).flatten(2).transpose(1, 2)
        if geometry.newline:
            x = torch.cat([x, newline.expand(x.shape[0], 1, c)], 1)
        return x.reshape(-1, frames * x.shape[1], c)
    if geometry is None:
        x = features.view(-1, SIDE * SIDE, c)
        x = torch.cat([x, newline.expand(x.shape[0], 1, c)], 1)
        return x.reshape(-1, frames * (SIDE * SIDE + 1), c)
    gw, gh, left, top, cols, rows = geometry
    x = features.view(-1, 1 + gw * gh, SIDE * SIDE, c)
    grid = x[:, 1:].reshape(-1, gh, gw, SIDE, SIDE, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, gh * SIDE, gw * SIDE, c)
    grid = grid[:, top : top + rows, left : left + cols]
    grid = torch.cat([grid, newline.expand(grid.shape[0], rows, 1, c)], 2).flatten(1, 2)
    x = torch.cat([x[:, 0], grid], 1)
    return x.reshape(-1, frames * x.shape[1], c)


class Llava(nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.tower = Tower()
        self.language = Language(vocab)
        self.newline = nn.Parameter(torch.randn(TEXT["width"]) / math.sqrt(TEXT["width"]))
        self.features = self.tower.forward  # train.py replaces it by a compiled one
        initialise(self)

    def forward(self, tiles, frames, geometry, head, tail, caption):
        """One batch of clips with the same frame count, geometry and prompt.

        tiles uint8 [n * frames * tiles, 112, 112, 3]; head, tail: token ids before and after the images, 1-D;
        caption [n, t] ids, -100 after the end. Returns logits [n, t, vocab] that predict `caption`, and the
        language model's hidden states at the last frame's tokens.
        """
        n, t = caption.shape
        images = pack(self.features(tiles), frames, geometry, self.newline).float()
        embed = self.language.embed_tokens
        x = [embed(head).expand(n, -1, -1), images, embed(tail).expand(n, -1, -1), embed(caption[:, :-1].clamp(min=0))]
        end = len(head) + images.shape[1]
        return self.language(torch.cat(x, 1), t, (end - images.shape[1] // frames, end))


def dct_basis(size, count):
    """The `count` lowest 2-D cosine patterns of size x size, by rising frequency: [count, size, size], unit norm."""
    k = torch.arange(size)
    waves = torch.cos(math.pi * (k[None, :] + 0.5) * k[:, None] / size)
    waves = waves / waves.norm(dim=1, keepdim=True)
    order = sorted(((u * u + v * v, u, v) for u in range(size) for v in range(size)))[:count]
    return torch.stack([waves[u][:, None] * waves[v][None, :] for _, u, v in order])


def initialise(model):
    """Random start, except that the patch embedding begins as low-frequency brightness and colour patterns."""
    for name, p in model.named_parameters():
        if p.dim() < 2:
            continue
        if "embed_tokens" in name:
            nn.init.normal_(p, std=0.5)
        elif "position" in name:
            nn.init.normal_(p, std=0.3)
        else:
            nn.init.normal_(p, std=1 / math.sqrt(p.shape[1]))
            if any(s in name for s in ("out_proj", "o_proj", "fc2", "down_proj")):
                p.data.mul_(0.4)
    with torch.no_grad():
        width = model.tower.patch.weight.shape[0]
        chroma = width // 4
        luma = width - 2 * chroma
        rows = []
        for colour, count in (((1, 1, 1), luma), ((1, -1, 0), chroma), ((1, 1, -2), chroma)):
            colour = torch.tensor(colour).float()
            basis = dct_basis(PATCH, count)
            rows.append(torch.einsum("c,nyx->ncyx", colour / colour.norm(), basis).flatten(1))
        model.tower.patch.weight.copy_(torch.cat(rows) * 0.3)
        nn.init.normal_(model.tower.cls, std=0.5)
        model.language.lm_head.weight.mul_(0.3)
