"""Pictures and sizes made of integers alone, so that `test/parity/picture.mjs` makes the same ones bit for bit."""

import numpy as np


def scramble(x, y, z, seed):
    """A hash of three coordinates: uint32 arrays of any one shape -> uint32 of that shape."""
    x, y, z = (np.asarray(v, np.uint32) for v in (x, y, z))
    with np.errstate(over="ignore"):
        h = x * np.uint32(0x9E3779B1) ^ y * np.uint32(0x85EBCA77) ^ z * np.uint32(0xC2B2AE3D)
        h = (h ^ np.uint32(seed & 0xFFFFFFFF)) * np.uint32(0x27D4EB2F)
        h = (h ^ (h >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
        return h ^ (h >> np.uint32(12))


def picture(width, height, seed):
    """RGB bytes [height, width, 3]: coloured squares of 16 pixels, a slope and noise."""
    y, x, c = np.meshgrid(*(np.arange(n, dtype=np.uint32) for n in (height, width, 3)), indexing="ij")
    squares = scramble(x >> 4, y >> 4, c, seed) & 127
    slope = ((x * np.uint32(seed % 7 + 1) + y * np.uint32(seed % 5 + 1)) * (c + np.uint32(1)) >> 2) & 63
    noise = scramble(x, y, c + np.uint32(3), seed) & 63
    return (squares + slope + noise).astype(np.uint8)


def sizes(count, seed):
    """`count` image sizes (width, height), int [count, 2].

    They take turns among four ranges, from tiny to far above the largest grid.
    """
    index = np.arange(count, dtype=np.uint32)
    limit = np.array([4096, 1400, 420, 100], np.uint32)[index & 3]
    sides = [1 + scramble(index, side, 0, seed) % limit for side in (np.uint32(0), np.uint32(1))]
    return np.stack(sides, 1).astype(int)
