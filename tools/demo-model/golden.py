"""Writes the values that other parts of the project are tested against.

They are computed by Hugging Face's LLaVA-NeXT with the shipped weights.

`python golden.py --model models/demo --out test/fixtures/demo-tower`

- tiles.bin, features.bin: tiles of pixels, and the projected patch features the tower must give for them;
- tokens.json: texts and their ids;
- captions.json: whole pictures, drawn by a rule simple enough to repeat anywhere, with the number of packed tokens, a
  summary of the packed features and the ids of the greedy caption.
"""

import argparse
import json
import pathlib

import numpy as np
import torch

import frames
import prompts
import tokenizer
from captioner import Texts
from export import MMPROJ_FILE, MODEL_FILE, load_hf
from model import MEAN, SIDE, STD, TILE

# Clips of plain squares and discs on plain grounds:
# [width, height, background, colour, shape, centres, half extent].
SCENES = [
    ("image", 320, 180, (12, 12, 14), (220, 40, 40), "circle", [(200, 80)], 36),
    ("image", 150, 200, (240, 170, 190), (50, 80, 220), "square", [(70, 120)], 30),
    ("video", 320, 180, (14, 20, 70), (235, 220, 50), "square", [(80, 90), (150, 90), (220, 90)], 34),
    ("video", 180, 240, (10, 95, 95), (245, 245, 245), "circle", [(90, 170), (90, 120), (90, 70)], 36),
]
TEXTS = [
    *prompts.parts(prompts.IMAGE, 1),
    prompts.parts(prompts.VIDEO, 3)[1],
    "Describe this image.",
    "A red circle moves from left to right on a black background.",
    "  two  spaces, and\nnew lines\n\n",
    "Accents: \u00e9\u00e0\u00fc, \u6f22\u5b57, \U0001f600!",
    "an <|im_end|> inside",
    "",
]


def scene_picture(width, height, background, colour, shape, centre, r):
    """One frame of a scene, uint8 [height, width, 3]; a pixel has the shape's colour if its coordinates are inside."""
    x, y = np.arange(width)[None] - centre[0], np.arange(height)[:, None] - centre[1]
    inside = x * x + y * y <= r * r if shape == "circle" else (abs(x) <= r) & (abs(y) <= r)
    return np.where(inside[..., None], np.uint8(colour), np.uint8(background)).astype(np.uint8)


def pattern(count):
    """uint8 tiles [count, 112, 112, 3]: a moving ramp, a shape and some noise, so that no two patches are alike."""
    rng = np.random.default_rng(20)
    y, x = np.mgrid[0:TILE, 0:TILE]
    out = []
    for k in range(count):
        ramp = np.stack([x * (k + 1), y * 2, x + y + 40 * k], -1) % 256
        disc = ((x - 40 - 12 * k) ** 2 + (y - 50) ** 2 < 900)[..., None]
        tile = np.where(disc, np.array([220, 40 + 60 * k, 40]), ramp // 2) + rng.integers(-20, 21, (TILE, TILE, 3))
        out.append(np.clip(tile, 0, 255).astype(np.uint8))
    return np.stack(out)


def pixels(tiles):
    """uint8 tiles [n, h, w, 3] -> normalised float32 [n, 3, h, w]."""
    x = torch.from_numpy(tiles).float() * (1 / 255)
    return ((x - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    hf, texts = load_hf(args.model), Texts()

    tiles = pattern(3)
    hidden = hf.model.vision_tower(pixels(tiles), output_hidden_states=True).hidden_states[-2][:, 1:]
    features = hf.model.multi_modal_projector(hidden).numpy()
    (args.out / "tiles.bin").write_bytes(tiles.tobytes())
    (args.out / "features.bin").write_bytes(features.astype("<f4").tobytes())

    scenes = []
    for kind, width, height, background, colour, shape, centres, r in SCENES:
        pictures = [scene_picture(width, height, background, colour, shape, c, r) for c in centres]
        cut = [frames.tiles(p)[0] for p in pictures]
        values = torch.stack([pixels(c) for c in cut])
        sizes = torch.tensor([[height, width]] * len(pictures))
        how = dict(vision_feature_layer=-2, vision_feature_select_strategy="default")
        packed = torch.cat(list(hf.model.get_image_features(values, sizes, **how).pooler_output))
        head, tail = texts.question(prompts.VIDEO if kind == "video" else prompts.IMAGE, len(pictures))
        ids = torch.cat([head, torch.full((len(packed),), tokenizer.SIZE - 1), tail])[None]
        inputs = dict(input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=values, image_sizes=sizes)
        stop = dict(max_new_tokens=40, do_sample=False, eos_token_id=tokenizer.STOP, pad_token_id=tokenizer.UNKNOWN)
        answer = hf.generate(**inputs, **stop)[0, ids.shape[1] :].tolist()
        answer = answer[: answer.index(tokenizer.STOP)] if tokenizer.STOP in answer else answer
        scene = dict(kind=kind, width=width, height=height, background=background, colour=colour, shape=shape)
        scene |= dict(centres=centres, halfExtent=r, imageTokens=len(packed), promptTokens=ids.shape[1])
        scene |= dict(featuresMean=float(packed.mean()), featuresAbsMean=float(packed.abs().mean()))
        scene |= dict(featuresFirst=packed[0, :8].tolist(), featuresLast=packed[-2, :8].tolist())
        scenes.append(scene | dict(tokens=answer, text=texts.tokenizer.decode(answer)))
        print(scenes[-1]["text"])

    save = lambda name, value: (args.out / name).write_text(json.dumps(value, indent=1, ensure_ascii=True) + "\n")
    made = "tools/demo-model/golden.py: transformers' LlavaNextForConditionalGeneration, float32, eager, "
    made += f"weights of {MMPROJ_FILE} and {MODEL_FILE}"
    save(
        "golden.json",
        dict(
            made=made,
            tiles=dict(file="tiles.bin", type="uint8", shape=list(tiles.shape), order="tile, row, column, RGB"),
            features=dict(file="features.bin", type="float32 little-endian", shape=list(features.shape)),
            patchesASide=SIDE,
            mean=MEAN,
            std=STD,
        ),
    )
    save("tokens.json", dict(made=made, texts=[dict(text=t, tokens=texts.tokenizer.encode(t)) for t in TEXTS]))
    note = "A pixel (column, row) has `colour` if inside: circle dx*dx+dy*dy <= r*r, square |dx|,|dy| <= r; "
    note += "else `background`. Tiles by Pillow bicubic. "
    note += "featuresFirst and featuresLast: 8 values of the first and the last-but-one packed token."
    asked = dict(imagePrompt=prompts.IMAGE, videoPrompt=prompts.VIDEO)
    save("captions.json", dict(made=made, drawing=note, **asked, scenes=scenes))


if __name__ == "__main__":
    main()
