"""Stages 2 and 3: the whole model learns to caption.

Its tiles are drawn directly (`drawn`) or cut from real frames (`frames.py`).

A batch shares its question, number of frames and geometry, so only the ends of captions are padded.
"""

import numpy as np
import torch
import torch.nn.functional as F

import frames as real_frames
import preprocess
import prompts
import tokenizer
import world
from model import Pooled

# Aspects (width / height) by which clips are grouped, so that a batch's pictures keep the same rows and columns.
ROWS = {10: (1.456, 1.82), 12: (1.232, 1.44), 14: (1.067, 1.21), 16: (0.945, 1.055)}

FRAMES, SHARES = [0, 1, 2, 3, 4, 5, 6], [0.13, 0.07, 0.13, 0.61, 0.03, 0.02, 0.01]  # 0 frames: a picture, not a clip

POOLED_FRAMES, POOLED_SHARES = [3, 4, 5, 6, 8, 10, 12, 15], [0.1, 0.1, 0.05, 0.1, 0.45, 0.05, 0.1, 0.05]


def pick(rng, n, frames, anyres):
    """n clips of one geometry, that geometry (None without anyres), and the times of their frames [n, frames]."""
    geometry = None
    if not anyres:
        clips = world.sample(rng, n)
    else:
        rows = list(ROWS)[rng.choice(4, p=[0.4, 0.25, 0.15, 0.2])]
        aspect = ROWS[rows]
        if rng.uniform() < 0.5:
            aspect = (1 / aspect[1], 1 / aspect[0])
        if rng.uniform() < 0.6 and rows in (10, 12):  # exactly 16:9 or 4:3, which most real files have
            common = {10: 16 / 9, 12: 4 / 3}[rows]
            common = common if aspect[0] > 1 else 1 / common
            aspect = (common, common)
        clips = world.sample(rng, 3 * n, aspect)
        found = [preprocess.geometry(w, h) for w, h in zip(clips["width"], clips["height"])]
        geometry = max(set(found), key=found.count)
        keep = [i for i, g in enumerate(found) if g == geometry]
        clips = {k: v[(keep * n)[:n]] for k, v in clips.items()}
    if frames > 0:
        return clips, geometry, world.times(clips, frames)
    r = np.clip(clips["r0"], 0.13, 0.27)  # a picture shows any moment of a clip in which the shape keeps its size
    clips.update(r0=r, r1=r)
    return clips, geometry, rng.uniform(size=(n, 1))


def drawn(renderer, rng, tiles, anyres):
    """Endless batches of about `tiles` tiles each, drawn directly: (tiles, frames, geometry, captions)."""
    while True:
        frames = int(rng.choice(FRAMES, p=SHARES))
        n = tiles // (max(frames, 1) * (5 if anyres else 1))
        clips, geometry, t = pick(rng, n, frames, anyres)
        yield draw(renderer, rng, clips, t, anyres), frames, geometry, world.captions(clips, video=frames > 1)


def draw(renderer, rng, clips, t, anyres):
    """The tiles of the clips' frames at the times t [n, frames], drawn directly."""
    views = np.stack([preprocess.views(w, h, anyres) for w, h in zip(clips["width"], clips["height"])])
    n, each = views.shape[:2]
    index = np.repeat(np.arange(n), t.shape[1] * each)
    views = np.repeat(views[:, None], t.shape[1], 1).reshape(-1, 4)
    return renderer(rng, clips, index, views, np.repeat(t.reshape(-1), each))[0]


def pooled(renderer, rng, tiles):
    """Endless batches of clips whose frames are pooled: half of them drawn directly, half as in `real`."""
    while True:
        frames = int(rng.choice(POOLED_FRAMES, p=POOLED_SHARES))
        clips, _, t = pick(rng, tiles // frames, frames, False)
        data = draw(renderer, rng, clips, t, False) if rng.uniform() < 0.5 else cut(rng, clips, t, False)
        how = Pooled(4 if rng.uniform() < 0.1 else 2, bool(rng.uniform() < 0.3))
        yield data, frames, how, world.captions(clips, video=True)


def mixed(rng, one, other, share):
    """Endless batches, the given share of them from `other`."""
    while True:
        yield next(other if rng.uniform() < share else one)


def cut(rng, clips, t, anyres):
    """The tiles of the clips' frames at the times t [n, frames], cut by Pillow from whole frames after JPEG."""
    data = [
        real_frames.tiles(real_frames.jpeg(real_frames.picture(clips, i, moment, rng), rng), anyres)[0]
        for i in range(len(t))
        for moment in t[i]
    ]
    return torch.from_numpy(np.concatenate(data))


def real(rng, tiles, keep=24):
    """Batches as from `drawn`, but cut by Pillow from whole frames after JPEG.

    Every batch comes twice, the second time much later, since making one is slow.
    """
    kept = []
    while True:
        if len(kept) >= keep:
            yield kept.pop(rng.integers(len(kept)))
        frames = int(rng.choice(FRAMES, p=SHARES))
        anyres = rng.uniform() < 0.75
        n = tiles // (max(frames, 1) * (5 if anyres else 1))
        clips, geometry, t = pick(rng, n, frames, anyres)
        batch = cut(rng, clips, t, anyres), frames, geometry, world.captions(clips, video=frames > 1)
        kept.append(batch)
        yield batch


class Texts:
    """Token ids of questions and captions."""

    def __init__(self):
        self.tokenizer = tokenizer.Tokenizer()
        self.cache = {}

    def ids(self, text):
        if text not in self.cache:
            self.cache[text] = self.tokenizer.encode(text)
        return self.cache[text]

    def question(self, question, frames):
        head, tail = prompts.parts(question, frames)
        return torch.tensor(self.ids(head)), torch.tensor(self.tokenizer.encode(tail))

    def captions(self, captions, width=15):
        """Captions' token ids [n, width], each with the stop token at its end and -100 (no target) after that."""
        out = torch.full((len(captions), width), -100)
        for row, text in zip(out, captions):
            ids = self.ids(text) + [tokenizer.STOP]
            row[: len(ids)] = torch.tensor(ids)
        return out


def caption_loss(logits, caption):
    """Mean cross-entropy of caption tokens, and the share of captions that are right throughout (teacher-forced)."""
    value = F.cross_entropy(logits.flatten(0, 1), caption.flatten(), ignore_index=-100)
    right = ((logits.argmax(-1) == caption) | (caption < 0)).all(1).float().mean().item()
    return value, right


def motion_loss(held, probe, captions):
    """An auxiliary loss for clips: every token of the last frame has to know the motion. held [n, t, width]."""
    label = torch.tensor([next(k for k, m in enumerate(world.MOTIONS) if m in text) for text in captions])
    guess = probe(F.rms_norm(held.float(), held.shape[-1:]))
    return F.cross_entropy(guess.flatten(0, 1), label.repeat_interleave(held.shape[1]))


def train(model, probe, texts, rng, batches, optimiser, steps, log, save, name):
    """Trains tower and language model in place on `batches` of (tiles, frames or 0 for a picture, geometry, captions).

    `probe` is the linear head of the auxiliary loss, None for captions only.
    """
    running = {}
    for step in range(1, steps + 1):
        tiles, frames, geometry, captions = next(batches)
        video = frames > 1 or (frames == 1 and rng.uniform() < 0.5)
        question = prompts.question(rng, video)
        head, tail = texts.question(question, frames)
        caption = texts.captions(captions)
        logits, held = model(tiles, max(frames, 1), geometry, head, tail, caption)
        value, right = caption_loss(logits, caption)
        running.setdefault("loss", []).append(value.item())
        if frames > 1 and probe is not None:
            motion = motion_loss(held, probe, captions)
            running.setdefault("motion", []).append(motion.item())
            value = value + 0.3 * motion
        optimiser.step(value)
        running.setdefault(f"{'pooled ' if isinstance(geometry, Pooled) else ''}{frames}", []).append(right)
        if step % 50 == 0:
            log(f"{name} {step}/{steps} " + " ".join(f"{k}: {np.mean(v):.3f}" for k, v in sorted(running.items())))
            running = {}
        if step % 100 == 0:
            save()
        if optimiser.done == 1:
            break
    save()
