"""Random LLaVA models as GGUF pairs, and what Hugging Face transformers computes with the same numbers.

    python generate.py OUT [--seed 1] [--only NAME,…] [--fixtures] [--geometry 20000]

OUT gets a folder for each model of `spec.SPECS` with `model.gguf`, `mmproj.gguf`, `expected.json` and `expected.bin`
(the arrays that the JSON describes), and `geometry.json`. The same seed gives the same weights, pictures and questions;
expected numbers are those of this machine's float32 arithmetic. `--fixtures` writes the small subset of `npm test`.
"""

import argparse
import dataclasses
import gzip
import hashlib
import json
import os
import pathlib
import random
import time

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy as np
import torch
import transformers

import geometry
import model as models
import vocabulary
from pair import write_pair
from picture import picture, sizes
from reference import Reference
from spec import SPECS, Spec, image_sizes, prompts, videos

LEAST_MARGIN = 1e-3  # F32: a question whose greedy path is closer to a tie than this is drawn again
GEOMETRIES = {"llava-1.6": Spec("llava-1.6", image=336), "small": Spec("small")}
DIGEST_ROWS = 100


class Blob:
    """Arrays in one file, each described by type, shape and offset in bytes."""

    def __init__(self):
        self.parts, self.length = [], 0

    def add(self, array):
        data = np.ascontiguousarray(array).tobytes()
        entry = {"type": str(array.dtype), "shape": list(array.shape), "offset": self.length}
        self.parts.append(data + bytes(-len(data) % 4))
        self.length += len(self.parts[-1])
        return entry


def seed_of(seed, name):
    """A seed for one model, which does not depend on the other models that are made."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:4], "little")


def expect_images(spec, reference, blob, draw, kinds):
    images, pictures = [], []
    for kind, width, height in kinds:
        while spec.grids and geometry.rounds_otherwise(spec, width, height):
            width += 1
        seed = draw.randrange(2**31)
        shown = picture(width, height, seed)
        features = reference.features(shown)
        entry = {"kind": kind, "width": width, "height": height, "seed": seed}
        if spec.grids:
            layout = dict(zip(geometry.FIELDS, geometry.layout(spec, width, height)))
            entry |= {"cols": layout["cols"], "rows": layout["rows"]}
            assert spec.merge != "spatial_unpad" or layout["tokens"] == len(features)
        else:
            entry |= {"cols": 0, "rows": 0}
        entry |= {"tiles": blob.add(reference.tiles(shown)), "features": blob.add(features)}
        images.append(entry)
        pictures.append(shown)
    return images, pictures


def expect_captions(spec, reference, blob, draw, images, pictures, lists):
    captions = []
    for chosen in lists:
        tokens = sum(images[i]["features"]["shape"][0] for i in chosen)
        for _ in range(20):
            question = vocabulary.question(draw)
            text, logits, ids, margins = reference.caption([pictures[i] for i in chosen], question, tokens)
            if spec.precision != "F32" or min(margins) > LEAST_MARGIN:
                break
        captions.append(
            {
                "images": chosen,
                "question": question,
                "promptTokens": len(text),
                "logits": blob.add(logits),
                "tokens": ids,
                "margins": [round(m, 6) for m in margins],
            }
        )
    return captions


def expect_videos(spec, reference, blob, draw, fixture):
    """What becomes of videos whose frames are pooled: frame i is the picture of the video's seed + i."""
    expected = []
    for frames, width, height, pooling in videos(spec, draw, fixture):
        seed = draw.randrange(2**30)
        shown = [picture(width, height, seed + i) for i in range(frames)]
        features = reference.video_features(shown, pooling)
        for _ in range(20):
            question = vocabulary.question(draw)
            text, logits, ids, margins = reference.video_caption(shown, pooling, question, len(features))
            if min(margins) > LEAST_MARGIN:
                break
        expected.append(
            {
                "frames": frames,
                "width": width,
                "height": height,
                "seed": seed,
                "pooling": dataclasses.asdict(pooling),
                "tiles": blob.add(reference.video_tiles(shown[:1])),
                "features": blob.add(features),
                "question": question,
                "promptTokens": len(text),
                "logits": blob.add(logits),
                "tokens": ids,
                "margins": [round(m, 6) for m in margins],
            }
        )
    return expected


def generate(spec, seed, folder, fixture):
    start = time.time()
    folder.mkdir(parents=True, exist_ok=True)
    seed = seed_of(seed, spec.name)
    draw = random.Random(seed)
    model = models.build(spec)
    models.randomise(model, seed)
    write_pair(spec, model, folder)
    reference, blob = Reference(spec, model), Blob()
    kinds, lists = image_sizes(spec, draw), prompts(spec)
    if fixture:
        kinds, lists = (kinds[:1], [[0]]) if spec.pooling else (kinds[:4], [[0], [1, 2], [2, 0, 1]])
    images, pictures = expect_images(spec, reference, blob, draw, kinds)
    captions = expect_captions(spec, reference, blob, draw, images, pictures, lists)
    pooled = expect_videos(spec, reference, blob, draw, fixture) if spec.pooling else []
    expected = {
        "name": spec.name,
        "seed": seed,
        "transformers": transformers.__version__,
        "precision": spec.precision,
        "visionType": spec.vision_type,
        "textType": spec.text_type,
        "template": spec.template,
        "aspect": "anyres" if spec.grids else {"square": "crop"}.get(spec.aspect, "pad"),
        "merge": spec.merge or "flat",
        "tileSize": spec.image,
        "patchSize": spec.patch,
        "pinpoints": spec.pinpoints,
        "width": spec.text_width,
        "images": images,
        "captions": captions,
    }
    if spec.pooling:
        expected |= {"pooling": dataclasses.asdict(spec.pooling), "videos": pooled}
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    (folder / "expected.bin.gz").write_bytes(gzip.compress(b"".join(blob.parts), mtime=0))
    answers = {tuple(c["tokens"]) for c in captions}
    counts = f"{len(images)} images, {len(captions)} prompts, {len(answers)} answers, {len(pooled)} videos"
    print(f"{spec.name}: {counts}, {time.time() - start:.0f} s", flush=True)


def generate_geometry(count, seed, folder, digests):
    """Layouts of random sizes, in full or as one digest for every DIGEST_ROWS rows."""
    out = {"seed": seed, "count": count, "fields": geometry.FIELDS, "sets": []}
    for name, spec in GEOMETRIES.items():
        rows = [geometry.layout(spec, int(w), int(h)) for w, h in sizes(count, seed)]
        entry = {"name": name, "tileSize": spec.image, "patchSize": spec.patch, "pinpoints": spec.pinpoints}
        if digests:
            chunks = [rows[i : i + DIGEST_ROWS] for i in range(0, count, DIGEST_ROWS)]
            text = ["\n".join(" ".join(map(str, row)) for row in chunk) for chunk in chunks]
            entry |= {"rows": DIGEST_ROWS, "digests": [hashlib.sha256(t.encode()).hexdigest()[:16] for t in text]}
        else:
            entry["layouts"] = rows
        out["sets"].append(entry)
    (folder / "geometry.json").write_text(json.dumps(out) + "\n")
    print(f"geometry: {count} sizes", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="names of models, comma-separated")
    parser.add_argument("--fixtures", action="store_true", help="the subset and amount for test/fixtures/parity")
    parser.add_argument("--geometry", type=int, default=20000, help="random sizes; 0: none")
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    only = set(filter(None, args.only.split(",")))
    assert only <= {spec.name for spec in SPECS}, "unknown name in --only"
    for spec in SPECS:
        if (spec.fixture or not args.fixtures) and (not only or spec.name in only):
            generate(spec, args.seed, args.out / spec.name, args.fixtures)
    if args.geometry:
        generate_geometry(args.geometry, seed_of(args.seed, "geometry"), args.out, args.fixtures)


if __name__ == "__main__":
    main()
