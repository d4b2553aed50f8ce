"""Draws tiles of the world directly in the tower's input size, many at once, with the damage that real files have.

A pixel's coverage is computed from its distance to the edge in tile pixels, also where the overview stretches the
picture, so no supersampling is needed. Edges in brightness and in colour differ in softness, as they do in 4:2:0 video.
"""

import numpy as np
import torch

import world
from model import SIDE, TILE

MASK = 4  # cells along one side of the mask that says which parts of a patch are covered


def coverage(px, py, ax, ay, r, arm, shape, soft):
    """The share of a pixel that the shape covers.

    px, py: offset of the pixel from the shape's centre; ax, ay: size of a pixel; soft: edge width.
    """
    edge = lambda d: (d / soft + 0.5).clamp(0, 1)
    x, y = px.abs(), py.abs()
    out_x, out_y = edge((r - x) / ax), edge((r - y) / ay)
    in_x, in_y = edge((arm * r - x) / ax), edge((arm * r - y) / ay)
    square = out_x * out_y
    cross = out_x * in_y + in_x * out_y - in_x * in_y
    rho = (px * px + py * py).sqrt() + 1e-6
    circle = edge((r - rho) * rho / ((px * ax) ** 2 + (py * ay) ** 2 + 1e-12).sqrt())
    slope = (ax * ax + ay * ay / 4).sqrt()
    triangle = edge((r - py) / ay) * edge(((py + r) / 2 - x) / slope)
    is_ = lambda k: (shape == k).float()
    return is_(0) * circle + is_(1) * square + is_(2) * triangle + is_(3) * cross


def draw(v, bank):
    """One dict of per-tile tensors [n, 1, 1] -> uint8 tiles [n, 112, 112, 3], coverage masks [n, 32, 32] in 0..1."""
    step = torch.arange(TILE).float() + 0.5
    x, y = v["ox"] + v["ax"] * step[None, None, :], v["oy"] + v["ay"] * step[None, :, None]
    px, py = x - v["x"], y - v["y"]
    place = (v["ax"], v["ay"], v["r"], v["arm"], v["shape"])
    luma = coverage(px, py, *place, v["soft"])[..., None]
    chroma = coverage(px, py, *place, v["soft_chroma"])[..., None]
    ramp = v["gradient_x"] * (x / v["w"] - 0.5) * 2 + v["gradient_y"] * (y / v["h"] - 0.5) * 2
    weights = torch.tensor([0.299, 0.587, 0.114])
    background = v["background_rgb"] * (1 + ramp)[..., None]
    foreground = v["foreground_rgb"] * (1 + ramp * v["gradient_on_shape"])[..., None]
    difference = foreground - background
    grey = (difference * weights).sum(-1, keepdim=True)
    picture = background + luma * grey + chroma * (difference - grey)
    picture = picture + bank[v["bank"]] * v["noise"][..., None]
    inside = ((x > 0) & (x < v["w"]) & (y > 0) & (y < v["h"]))[..., None]
    tiles = (picture.clamp(0, 255) * inside + 0.5).to(torch.uint8)
    cell = TILE / (SIDE * MASK)
    step = (torch.arange(SIDE * MASK).float() + 0.5) * cell
    x, y = v["ox"] + v["ax"] * step[None, None, :], v["oy"] + v["ay"] * step[None, :, None]
    big = (v["ax"] * cell, v["ay"] * cell) + place[2:]
    mask = coverage(x - v["x"], y - v["y"], *big, torch.ones(1))
    return tiles, mask * ((x > 0) & (x < v["w"]) & (y > 0) & (y < v["h"]))


class Renderer:
    """Holds the compiled drawing routine and a bank of noise pictures."""

    def __init__(self, seed, compiled=True):
        g = torch.Generator().manual_seed(seed)
        fine = torch.randn(96, TILE, TILE, 3, generator=g)
        coarse = torch.randn(96, 3, TILE // 4, TILE // 4, generator=g)
        coarse = torch.nn.functional.interpolate(coarse, size=(TILE, TILE), mode="bicubic").permute(0, 2, 3, 1)
        grey = torch.randn(64, TILE, TILE, 1, generator=g).expand(-1, -1, -1, 3)
        self.bank = torch.cat([fine, coarse, grey])
        self.draw = torch.compile(draw, dynamic=False) if compiled else draw

    def __call__(self, rng, clips, index, views, t):
        """Draw n tiles. index [n]: clip of each tile; views [n, 4]: corner and step in picture pixels; t [n]: time.

        Returns tiles, masks and the dict of per-tile tensors (short-side units).
        """
        n = len(index)
        at = {k: v[index] for k, v in clips.items()}
        x, y, r = world.state(at, t)
        short = np.minimum(at["width"], at["height"])
        ox, oy, ax, ay = views.T / short
        # Edge width in tile pixels: about one pixel of the tile, or of the file where the file's pixels are larger.
        pixel = 1 / (np.sqrt(ax * ay) * short)
        soft = np.hypot(rng.uniform(0.7, 1.2, n), rng.uniform(0.6, 1.4, n) * pixel)
        soft_chroma = np.hypot(soft, rng.uniform(1.0, 3.5, n) * pixel)
        # A decoder that takes the other of BT.601 and BT.709 shifts colours a little.
        colours = []
        swap = rng.integers(0, 6, n)
        for key in ("foreground_rgb", "background_rgb"):
            rgb = at[key]
            for which, matrix in ((0, SWAP), (1, np.linalg.inv(SWAP))):
                rgb = np.where((swap == which)[:, None], rgb @ matrix.T, rgb)
            colours.append(np.clip(rgb, 0, 255))
        noise = at["noise"] * rng.uniform(0.2, 1.0, n)
        values = dict(ox=ox, oy=oy, ax=ax, ay=ay, x=x, y=y, r=r, soft=soft, soft_chroma=soft_chroma, noise=noise)
        for key in ("arm", "w", "h", "gradient_x", "gradient_y", "gradient_on_shape"):
            values[key] = at[key]
        v = {k: torch.from_numpy(np.ascontiguousarray(a)).float().view(n, 1, 1) for k, a in values.items()}
        v["shape"] = torch.from_numpy(at["shape"]).view(n, 1, 1)
        for key, rgb in zip(("foreground_rgb", "background_rgb"), colours):
            v[key] = torch.from_numpy(rgb).float().view(n, 1, 1, 3)
        v["bank"] = torch.from_numpy(rng.integers(0, len(self.bank), n))
        tiles, mask = self.draw(v, self.bank)
        return tiles, mask, v


def _swap_matrix():
    def to_ycc(kr, kb):
        kg = 1 - kr - kb
        return np.array(
            [
                [kr, kg, kb],
                [-kr / 2 / (1 - kb), -kg / 2 / (1 - kb), 0.5],
                [0.5, -kg / 2 / (1 - kr), -kb / 2 / (1 - kr)],
            ]
        )

    return np.linalg.inv(to_ycc(0.2126, 0.0722)) @ to_ycc(0.299, 0.114)


SWAP = _swap_matrix()  # RGB written with BT.601, read with BT.709
