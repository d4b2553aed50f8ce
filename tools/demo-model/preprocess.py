"""Anyres geometry and tiles, as the original LLaVA repository computes them.

As there, pinpoints are (width, height), and of two that are equally good the first is taken.
"""

import math

import numpy as np
from PIL import Image

from model import PINPOINTS, SIDE, TILE


def best_grid(width, height, pinpoints=PINPOINTS):
    """The (w, h) that keeps most of the picture's pixels, then leaves the fewest pixels of the grid empty."""
    best, best_kept, best_waste = None, 0, math.inf
    for w, h in pinpoints:
        scale = min(w / width, h / height)
        kept = min(int(width * scale) * int(height * scale), width * height)
        waste = w * h - kept
        if kept > best_kept or (kept == best_kept and waste < best_waste):
            best, best_kept, best_waste = (w, h), kept, waste
    return best


def resized(width, height, grid):
    """Size of the picture inside the grid and the black border left and above it: (w, h, left, top)."""
    gw, gh = grid
    sw, sh = gw / width, gh / height
    if sw < sh:
        w, h = gw, min(math.ceil(height * sw), gh)
    else:
        w, h = min(math.ceil(width * sh), gw), gh
    return w, h, (gw - w) // 2, (gh - h) // 2


def geometry(width, height):
    """What `model.pack` needs: (tiles across, tiles down, first column, first row, columns, rows), patches kept."""
    gw, gh = (side // TILE for side in best_grid(width, height))
    cw, ch = gw * SIDE, gh * SIDE
    if width / height > cw / ch:
        pad = (ch - int(height * (cw / width))) // 2
        return gw, gh, 0, pad, cw, ch - 2 * pad
    pad = (cw - int(width * (ch / height))) // 2
    return gw, gh, pad, 0, cw - 2 * pad, ch


def tiles(picture):
    """PIL RGB picture -> uint8 [1 + tiles, 112, 112, 3]: the stretched overview, then the grid row by row."""
    grid = best_grid(*picture.size)
    w, h, left, top = resized(*picture.size, grid)
    canvas = np.zeros((grid[1], grid[0], 3), np.uint8)
    canvas[top : top + h, left : left + w] = np.asarray(picture.resize((w, h), Image.BICUBIC))
    rows, cols = grid[1] // TILE, grid[0] // TILE
    canvas = canvas.reshape(rows, TILE, cols, TILE, 3).swapaxes(1, 2).reshape(-1, TILE, TILE, 3)
    return np.concatenate([np.asarray(picture.resize((TILE, TILE), Image.BICUBIC))[None], canvas])


def views(width, height, anyres=True):
    """Where each tile lies: [tiles, 4] of (x and y of the tile's corner, x and y step), in pixels of the picture."""
    out = [(0, 0, width / TILE, height / TILE)]
    if anyres:
        grid = best_grid(width, height)
        w, h, left, top = resized(width, height, grid)
        ax, ay = width / w, height / h
        for row in range(grid[1] // TILE):
            for col in range(grid[0] // TILE):
                out.append(((col * TILE - left) * ax, (row * TILE - top) * ay, ax, ay))
    return np.array(out)
