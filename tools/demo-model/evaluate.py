"""Measures captions on real files: clips written by ffmpeg in five codecs and containers, pictures as JPEG.

`python evaluate.py --model DIR_WITH_GGUF --clips 200 --images 200` reads the GGUF files back, decodes frames with
ffmpeg, cuts tiles with Pillow and captions greedily in float32. `--check` compares this code with Hugging Face's.
"""

import argparse
import collections
import os
import pathlib
import pickle
import re
import tempfile

os.environ.setdefault("GOMP_SPINCOUNT", "20000")  # train.py says why

import cv2
import numpy as np
import torch

import frames
import model as model_module
import prompts
import tokenizer
import world
from captioner import Texts
from export import load_hf
from hf import from_hf
from model import pack

PATTERN = re.compile(r"^(An?) (\w+) (\w+)(?: ((?:moves|stays|grows|shrinks).*?))? on a (\w+) background\.$")
ATTRIBUTES = ("article", "colour", "shape", "motion", "background")


@torch.no_grad()
def greedy(model, texts, tiles, frames_count, geometry, question, most=24):
    """Captions and token ids of a batch of clips of one geometry."""
    head, tail = texts.question(question, frames_count)
    images = pack(model.tower(tiles), frames_count, geometry, model.newline).float()
    n = images.shape[0]
    embed = model.language.embed_tokens
    x = torch.cat([embed(head).expand(n, -1, -1), images, embed(tail).expand(n, -1, -1)], 1)
    ids = []
    for _ in range(most):
        ids.append(model.language(x, 1)[:, -1].argmax(-1))
        x = torch.cat([x, embed(ids[-1])[:, None]], 1)
        if all(any(t[i] == tokenizer.STOP for t in ids) for i in range(n)):
            break
    rows = [r[: r.index(tokenizer.STOP)] if tokenizer.STOP in r else r for r in torch.stack(ids, 1).tolist()]
    return [texts.tokenizer.decode(r) for r in rows], rows


def fit(clips):
    """Keeps the clips inside the world's stated limits, since `world.sample` goes a little beyond them.

    Paths and shapes must lie inside the frame, and sizes and travels inside their ranges.
    """
    inside = np.ones(len(clips["shape"]), bool)
    for t in (0.0, 1.0):
        x, y, r = world.state(clips, np.full(len(inside), t))
        inside &= (x - r >= 0) & (x + r <= clips["w"]) & (y - r >= 0) & (y + r <= clips["h"])
    keep = np.flatnonzero(inside)
    return {k: v[keep] for k, v in clips.items()}


def make(seed, clips_count, images_count):
    """Renders, encodes, decodes: a list of (kind, pictures, caption, codec). Slow, so `main` caches it."""
    rng = np.random.default_rng(seed)
    out = []
    clips = fit(world.sample(rng, clips_count * 3))
    clips["length"] = rng.integers(10, 61, len(clips["length"]))
    with tempfile.TemporaryDirectory() as folder:
        for i in range(clips_count):
            codec = list(frames.CODECS)[i % len(frames.CODECS)]
            path = pathlib.Path(folder) / f"{i}.{codec}"
            w, h = frames.clip(clips, i, path, codec, rng)
            pictures = frames.read(path, w, h, world.indices(clips["length"][i : i + 1], 3)[0])
            out.append(("video", [np.asarray(p) for p in pictures], world.captions(clips, True)[i], codec))
            path.unlink()
    clips = fit(world.sample(rng, images_count * 3))
    for i in range(images_count):
        t = 0.5 if clips["motion"][i] > 4 else rng.uniform()
        how = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))]
        data = cv2.imencode(".jpg", frames.picture(clips, i, t, rng)[..., ::-1], how)[1]
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
        out.append(("image", [picture], world.captions(clips, False)[i], "jpeg"))
    return out


def measure(model, texts, examples, anyres=True, batch=8):
    """Captions every example; returns lines of a report and the wrong ones."""
    groups = collections.defaultdict(list)
    for example in examples:
        cut = [frames.tiles(p, anyres) for p in example[1]]
        groups[example[0], cut[0][1]].append((np.concatenate([c[0] for c in cut]), example))
    hits, total, wrong = collections.Counter(), collections.Counter(), []
    for (kind, geometry), members in groups.items():
        question = prompts.VIDEO if kind == "video" else prompts.IMAGE
        for at in range(0, len(members), batch):
            part = members[at : at + batch]
            count = 3 if kind == "video" else 1
            data = torch.from_numpy(np.concatenate([p[0] for p in part]))
            found, _ = greedy(model, texts, data, count, geometry, question)
            for text, (_, example) in zip(found, part):
                truth = example[2]
                total[kind] += 1
                hits[kind, "exact"] += text == truth
                a, b = PATTERN.match(text), PATTERN.match(truth)
                for k, name in enumerate(ATTRIBUTES):
                    hits[kind, name] += bool(a) and a[k + 1] == b[k + 1]
                if text != truth:
                    size = "x".join(str(s) for s in example[1][0].shape[1::-1])
                    wrong.append(f"{example[3]} {size}: {truth} -> {text}")
    lines = []
    for kind in total:
        parts = [f"{name} {hits[kind, name] / total[kind]:.1%}" for name in ("exact", *ATTRIBUTES)]
        lines.append(f"{kind} ({total[kind]}): " + ", ".join(parts))
    return lines, wrong


def check(folder):
    """Largest difference of packed features and of logits between this code and Hugging Face's, same weights."""
    model_module.COMPUTE = torch.float32
    hf = load_hf(folder)
    ours, texts, rng = from_hf(hf), Texts(), np.random.default_rng(5)
    for size in ((320, 180), (180, 320), (161, 120), (200, 200)):
        pictures = [rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) for _ in range(2)]
        cut = [frames.tiles(p) for p in pictures]
        data = torch.from_numpy(np.concatenate([c[0] for c in cut]))
        mean, std = torch.tensor(model_module.MEAN), torch.tensor(model_module.STD)
        pixels = ((data.float() / 255 - mean) / std).permute(0, 3, 1, 2)
        head, tail = texts.question(prompts.VIDEO, 2)
        with torch.no_grad():
            packed = pack(ours.tower(data), 2, cut[0][1], ours.newline)[0]
            sizes = torch.tensor([[size[1], size[0]]] * 2)
            features = hf.model.get_image_features(
                pixels.view(2, -1, *pixels.shape[1:]),
                sizes,
                vision_feature_layer=-2,
                vision_feature_select_strategy="default",
            ).pooler_output
            reference = torch.cat(list(features))
            image = torch.full((len(reference),), tokenizer.SIZE - 1)
            ids = torch.cat([head, image, tail])[None]
            embeds = torch.cat([ours.language.embed_tokens(head), packed, ours.language.embed_tokens(tail)])[None]
            a = ours.language(embeds, 1)[0, -1]
            b = hf(
                input_ids=ids,
                pixel_values=pixels.view(2, -1, *pixels.shape[1:]),
                image_sizes=sizes,
                attention_mask=torch.ones_like(ids),
            ).logits[0, -1]
        features_off, logits_off = (packed - reference).abs().max().item(), (a - b).abs().max().item()
        print(size, "tokens", len(packed), "features", features_off, "logits", logits_off)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=pathlib.Path, required=True, help="folder with the two GGUF files")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2, help="1 on a machine that has other work")
    parser.add_argument("--cache", type=pathlib.Path, help="file to keep decoded examples in")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.check:
        check(args.model)
        return
    if args.cache and args.cache.exists():
        examples = pickle.loads(args.cache.read_bytes())
    else:
        examples = make(args.seed, args.clips, args.images)
        if args.cache:
            args.cache.write_bytes(pickle.dumps(examples))
    model_module.COMPUTE = torch.float32
    model = from_hf(load_hf(args.model))
    lines, wrong = measure(model, Texts(), examples)
    print("\n".join(lines + wrong))


if __name__ == "__main__":
    main()
