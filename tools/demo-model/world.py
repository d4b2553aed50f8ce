"""The world the demo model knows: clips of one plain shape on one plain background, and their captions.

Lengths are in units of the frame's short side, y points down. A batch of clips is a dict of numpy arrays, one entry a
clip; `state` gives the shape's place and size at a time of the clip.
"""

import numpy as np

SHAPES = ["circle", "square", "triangle", "cross"]
COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 80, 220),
    "yellow": (235, 220, 50),
    "white": (245, 245, 245),
    "purple": (150, 60, 190),
    "orange": (240, 140, 30),
    "cyan": (50, 210, 220),
}
BACKGROUNDS = {
    "black": (12, 12, 14),
    "gray": (120, 120, 122),
    "navy": (14, 20, 70),
    "brown": (95, 60, 30),
    "teal": (10, 95, 95),
    "pink": (240, 170, 190),
}
MOTIONS = [
    "moves from left to right",
    "moves from right to left",
    "moves upward",
    "moves downward",
    "stays still",
    "grows larger",
    "shrinks",
]
POINTS = {1: (0.5,), 2: (0.25, 0.75), 3: (0.1, 0.5, 0.9)}  # at which shares of a video its frames are taken
ASPECTS = [16 / 9, 9 / 16, 4 / 3, 3 / 4, 1.0]
COLOUR_NAMES, BACKGROUND_NAMES = list(COLOURS), list(BACKGROUNDS)
COLOUR_RGB, BACKGROUND_RGB = np.array(list(COLOURS.values())), np.array(list(BACKGROUNDS.values()))


def caption(shape, colour, background, motion):
    """The caption; `motion` is None for a single picture."""
    thing = f"{'An' if colour[0] in 'aeiou' else 'A'} {colour} {shape}"
    return f"{thing}{' ' + motion if motion else ''} on a {background} background."


def captions(clips, video):
    """Captions of a batch of clips."""
    return [
        caption(SHAPES[s], COLOUR_NAMES[c], BACKGROUND_NAMES[b], MOTIONS[m] if video else None)
        for s, c, b, m in zip(clips["shape"], clips["colour"], clips["background"], clips["motion"])
    ]


def sample(rng, n, aspect=None):
    """n random clips. `aspect` (low, high) bounds width / height; default 9:16 to 16:9, half of them common ones.

    Sizes: width, height in pixels; w, h in short sides. Paths: position x0..x1, y0..y1 and half-extent r0..r1 at the
    first and the last frame. All ranges are a little wider than those the model is meant for, so that it
    is trained beyond its limits.
    """
    u = rng.uniform
    if aspect is None:
        ratio = np.where(u(size=n) < 0.5, rng.choice(ASPECTS, n), np.exp(u(np.log(0.55), np.log(1.82), n)))
    else:
        ratio = np.exp(u(np.log(aspect[0]), np.log(aspect[1]), n))
    short = np.round(np.exp(u(np.log(110), np.log(730), n)))
    width = np.where(ratio >= 1, np.round(short * ratio), short).astype(int)
    height = np.where(ratio >= 1, short, np.round(short / ratio)).astype(int)
    w, h = width / short, height / short
    motion = rng.integers(0, len(MOTIONS), n)
    radius = u(0.13, 0.27, n)
    small, large = u(0.45, 0.58, n), u(1.42, 1.55, n)
    grows, shrinks = motion == 5, motion == 6
    r0 = radius * np.where(grows, small, np.where(shrinks, large, 1))
    r1 = radius * np.where(grows, large, np.where(shrinks, small, 1))
    most = np.maximum(r0, r1)
    # The signed length of the path, and the range of its centre; a path that does not fit the frame is centred.
    travel = u(0.48, 0.67, n)
    dx = w * travel * np.select([motion == 0, motion == 1], [1, -1], 0)
    dy = h * travel * np.select([motion == 2, motion == 3], [-1, 1], 0)

    def centre(length, d):
        room = np.maximum(length - 2 * most - np.abs(d), 0)
        return length / 2 + room * u(-0.5, 0.5, n)

    x, y = centre(w, dx), centre(h, dy)
    colour = rng.integers(0, len(COLOURS), n)
    background = rng.integers(0, len(BACKGROUNDS), n)
    angle, strength = u(0, 2 * np.pi, n), u(-0.12, 0.12, n) * (u(size=n) < 0.8)
    return dict(
        width=width,
        height=height,
        w=w,
        h=h,
        motion=motion,
        colour=colour,
        background=background,
        shape=rng.integers(0, len(SHAPES), n),
        x0=x - dx / 2,
        x1=x + dx / 2,
        y0=y - dy / 2,
        y1=y + dy / 2,
        r0=r0,
        r1=r1,
        arm=u(0.28, 0.38, n),  # half width of the cross's arms, in half-extents
        foreground_rgb=np.clip(COLOUR_RGB[colour] + u(-14, 14, (n, 3)), 0, 255),
        background_rgb=np.clip(BACKGROUND_RGB[background] + u(-10, 10, (n, 3)), 0, 255),
        gradient_x=strength * np.cos(angle),
        gradient_y=strength * np.sin(angle),
        gradient_on_shape=(u(size=n) < 0.5).astype(float),
        noise=u(0, 7, n) * (u(size=n) < 0.8),
        length=rng.integers(10, 181, n),  # frames in the clip
    )


def times(clips, frames):
    """Times of the sampled frames in 0..1 of the clip, [n, frames], by the product's rule: see `indices`."""
    return np.minimum(indices(clips["length"], frames) / (clips["length"][:, None] - 1), 1)


def indices(length, frames):
    """Indices of the frames sampled of clips of length [n] frames: at POINTS, more than three from first to last."""
    if frames in POINTS:
        return (np.array(POINTS[frames]) * length[:, None]).astype(int)
    return np.linspace(0, length - 1, frames, axis=-1, dtype=int)


def state(clips, t):
    """Centre x, y and half-extent r at times t [n, ...]."""
    shaped = lambda key: clips[key].reshape(-1, *[1] * (np.ndim(t) - 1))
    between = lambda a, b: shaped(a) + (shaped(b) - shaped(a)) * t
    return between("x0", "x1"), between("y0", "y1"), between("r0", "r1")
