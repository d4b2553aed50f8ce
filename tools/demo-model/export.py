"""Writes the two GGUF files that ship, and reads them back into Hugging Face's LLaVA-NeXT.

`python export.py CHECKPOINT --out models/demo`
"""

import argparse
import pathlib

import torch
import transformers

import hf
import tokenizer
from model import PATCH, PINPOINTS, TEXT, TILE, VISION, Llava
from shared import keys, names, tensors, writer

MODEL_FILE, MMPROJ_FILE = "vcap-demo.gguf", "vcap-demo-mmproj.gguf"
VISION_NAMES, TEXT_NAMES = names.vision_names(VISION["blocks"]), names.text_names(TEXT["blocks"])
TEXT_HEADS = {"attn_q": TEXT["heads"], "attn_k": TEXT["heads"]}


def about(name):
    return {
        "general.name": name,
        "general.description": "Captions clips of one moving shape. Made by tools/demo-model.",
        "general.author": "the vcap-native authors",
    }


def vision_keys():
    """Metadata of the projector's file."""
    before = {"general.file_type": 0} | keys.CONTENTS | {"clip.projector_type": "mlp"}
    tower = keys.tower_keys(image=TILE, patch=PATCH, projection=VISION["width"], **VISION)
    grids = {
        "clip.vision.image_grid_pinpoints": [side for point in PINPOINTS for side in point],
        "clip.vision.image_crop_resolution": TILE,
        "clip.vision.image_aspect_ratio": "anyres",
        "clip.vision.mm_patch_merge_type": "spatial_unpad",
        "clip.vision.mm_projector_type": "mlp2x_gelu",
    }
    return about("vcap demo projector") | before | tower | grids


def text_keys():
    """Metadata of the language model's file."""
    shape = keys.llama_keys(kv_heads=TEXT["heads"], vocabulary=tokenizer.SIZE, **TEXT)
    tokens = tokenizer.learn()
    nothing_added = {
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_eos_token": False,
        "tokenizer.ggml.add_space_prefix": False,
    }
    vocabulary = keys.tokenizer_keys(tokens, tokenizer.scores(tokens))
    return about("vcap demo") | {"general.file_type": 1} | shape | vocabulary | nothing_added


def export(model, folder):
    """The tower and projector in float32; the language model's matrices in float16, its norms in float32."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = hf.to_hf(model)
    writer.write(folder / MMPROJ_FILE, "clip", vision_keys(), tensors.encode(state, VISION_NAMES, {}, {}))
    text = tensors.encode(state, TEXT_NAMES, {2: "F16"}, TEXT_HEADS)
    writer.write(folder / MODEL_FILE, "llama", text_keys(), text)


def load_hf(folder):
    """Hugging Face's LLaVA-NeXT, float32 and eager, with the weights as the two GGUF files hold them."""
    folder = pathlib.Path(folder)
    arrays = tensors.read(folder / MMPROJ_FILE, VISION_NAMES, {})
    arrays |= tensors.read(folder / MODEL_FILE, TEXT_NAMES, TEXT_HEADS)
    model = transformers.LlavaNextForConditionalGeneration._from_config(hf.config(), attn_implementation="eager").eval()
    state = {name: torch.from_numpy(array) for name, array in arrays.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    unused = lambda name: f"encoder.layers.{VISION['blocks']}." in name or "post_layernorm" in name
    assert not unexpected and all(unused(name) or "position_ids" in name for name in missing), (missing, unexpected)
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    model = Llava(tokenizer.SIZE)
    model.load_state_dict(torch.load(args.checkpoint))
    export(model, args.out)


if __name__ == "__main__":
    main()
