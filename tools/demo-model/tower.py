"""Stage 1: the vision tower alone is trained, on single tiles, with labels that the renderer gives.

Linear heads predict the shape, its colour, its background and its box from each patch's feature, as the language model
will get it, and from the mean of the features; from each patch's, also which of the patch's 4 x 4 cells the shape
covers. The heads are dropped afterwards.
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import preprocess
import world
from model import SIDE, TEXT, TILE
from render import MASK

SIZES = [len(world.SHAPES), len(world.COLOURS), len(world.BACKGROUNDS), 4]  # shape, colour, background, box
AREA = torch.tensor([0.785, 1.0, 0.5, 0.56])  # the share of its box that each shape fills


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Linear(TEXT["width"], sum(SIZES) + MASK * MASK)
        self.whole = nn.Linear(TEXT["width"], sum(SIZES))


def batch(renderer, rng, n):
    """n tiles of random clips at random times: tiles, masks, labels. Half overviews, else tiles of the grid."""
    clips = world.sample(rng, n)
    t = rng.uniform(size=n)
    x, y, _ = world.state(clips, t)
    views = []
    for i, (w, h) in enumerate(zip(clips["width"], clips["height"])):
        options = preprocess.views(w, h)
        kind = rng.uniform()
        if kind < 0.5:
            views.append(options[0])
        elif kind < 0.6:
            views.append(options[rng.integers(1, len(options))])
        else:  # the tile in which the shape's centre lies
            short = min(w, h)
            place = (np.array([x[i], y[i]]) * short - options[1:, :2]) / (options[1:, 2:] * TILE)
            views.append(options[1 + np.abs(place - 0.5).max(1).argmin()])
    tiles, mask, v = renderer(rng, clips, np.arange(n), np.stack(views), t)
    box = [(v["x"] - v["ox"]) / v["ax"], (v["y"] - v["oy"]) / v["ay"], v["r"] / v["ax"], v["r"] / v["ay"]]
    labels = dict(
        shape=torch.from_numpy(clips["shape"]),
        colour=torch.from_numpy(clips["colour"]),
        background=torch.from_numpy(clips["background"]),
        box=(torch.cat(box, -1).view(n, 4) / TILE).clamp(-0.5, 1.5),
    )
    full = AREA[labels["shape"]] * 4 * labels["box"][:, 2] * labels["box"][:, 3] * mask[0].numel()
    labels["whole"] = mask.sum((1, 2)) > 0.6 * full  # enough of the shape is in the tile to name it
    labels["seen"] = mask.sum((1, 2)) > 10
    return tiles, mask, labels


def loss(features, heads, mask, labels):
    """Weighted sum of the heads' losses, and the pooled head's accuracy for shape, colour, background."""
    n = len(features)
    patch, whole = heads.patch(features), heads.whole(features.mean(1))
    cells = mask.view(n, SIDE, MASK, SIDE, MASK).permute(0, 1, 3, 2, 4).reshape(n, SIDE * SIDE, -1)
    total = F.binary_cross_entropy_with_logits(patch[..., sum(SIZES) :], cells) * 2
    good = []
    for out, every in ((whole, 1), (patch[..., : sum(SIZES)].flatten(0, 1), SIDE * SIDE)):
        parts = out.split(SIZES, -1)
        rep = lambda x: x.repeat_interleave(every, 0)
        for k, (name, weight) in enumerate((("shape", 1.0), ("colour", 0.5), ("background", 0.3))):
            use = labels["whole"] if k == 0 else labels["seen"] if k == 1 else torch.ones(n, dtype=torch.bool)
            each = F.cross_entropy(parts[k], rep(labels[name]), reduction="none")
            total = total + weight * (each * rep(use)).sum() / (rep(use).sum() + 1)
            if every == 1:
                hit = parts[k].argmax(-1) == labels[name]
                good.append((hit & use).sum().item() / max(use.sum().item(), 1))
        error = F.smooth_l1_loss(parts[3], rep(labels["box"]), reduction="none", beta=0.05).mean(-1)
        total = total + 2 * (error * rep(labels["seen"])).sum() / (rep(labels["seen"]).sum() + 1)
    return total, good


def train(tower, heads, renderer, rng, optimiser, steps, size, log, save):
    """Runs stage 1; changes the weights of `tower` in place."""
    fast = torch.compile(tower, dynamic=False)
    running = np.zeros(4)
    for step in range(1, steps + 1):
        tiles, mask, labels = batch(renderer, rng, size)
        value, good = loss(fast(tiles).float(), heads, mask, labels)
        optimiser.step(value)
        running += [value.item(), *good]
        if step % 50 == 0:
            mean = running / 50
            losses = f"loss {mean[0]:.3f} shape {mean[1]:.3f} colour {mean[2]:.3f} background {mean[3]:.3f}"
            log(f"tower {step}/{steps} {losses}")
            running[:] = 0
        if step % 400 == 0:
            save()
    save()
