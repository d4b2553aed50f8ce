"""Writes a Hugging Face model's weights and metadata as a GGUF pair, in the dialect that a spec asks for."""

import torch

import vocabulary
from shared import keys, names, tensors, writer

MODEL, PROJECTOR = "model.gguf", "mmproj.gguf"
FILE_TYPES = {"F32": 0, "F16": 1, "Q8_0": 7}  # llama.cpp's llama_ftype


def vision_keys(spec):
    """Metadata of the projector file."""
    tower = keys.tower_keys(
        image=spec.image,
        patch=spec.patch,
        width=spec.width,
        ff=spec.ff,
        projection=768,
        heads=spec.heads,
        eps=spec.eps,
        blocks=spec.stored,
    )
    optional = {
        "clip.projector_type": "mlp" if spec.projector_type else None,
        "clip.vision.feature_layer": None if spec.feature_layer is None else [spec.feature_layer],
        "clip.vision.image_grid_pinpoints": [side for grid in spec.pinpoints for side in grid] or None,
        "clip.vision.mm_patch_merge_type": spec.merge,
        "clip.vision.image_aspect_ratio": spec.aspect,
        "clip.vision.mm_spatial_pool_stride": spec.pooling and spec.pooling.stride,
        "clip.vision.mm_spatial_pool_mode": spec.pooling and spec.pooling.mode,
        "clip.vision.mm_pooling_position": spec.pooling and spec.pooling.place,
        "clip.vision.mm_newline_position": spec.pooling and spec.pooling.newline,
    }
    about = {"general.name": f"parity {spec.name}", "general.file_type": 0 if spec.vision_type == "F32" else 1}
    return about | keys.CONTENTS | tower | {key: value for key, value in optional.items() if value is not None}


def text_keys(spec):
    """Metadata of the language model's file."""
    shape = keys.llama_keys(
        context=16384,
        width=spec.text_width,
        blocks=spec.text_blocks,
        ff=spec.text_ff,
        heads=spec.text_heads,
        kv_heads=spec.text_kv_heads,
        eps=1e-5,
        theta=spec.theta,
        vocabulary=vocabulary.SIZE,
    )
    about = {"general.name": f"parity {spec.name}", "general.file_type": FILE_TYPES[spec.text_type]}
    prompt = {"tokenizer.ggml.add_bos_token": spec.add_bos, "tokenizer.ggml.add_space_prefix": spec.space_prefix}
    return about | shape | keys.tokenizer_keys(vocabulary.TOKENS, vocabulary.SCORES, spec.marks) | prompt


def projector_tensors(spec, state):
    """The tower and the projector; only the patch kernel has four dimensions."""
    kernel = "F16" if spec.half_kernel or spec.vision_type != "F32" else "F32"
    vision = names.vision_names(spec.stored, spec.newline, spec.swapped)
    return vision, tensors.encode(state, vision, {4: kernel, 2: spec.vision_type}, {})


def model_tensors(spec, state):
    """The language model."""
    text, heads = names.text_names(spec.text_blocks), {"attn_q": spec.text_heads, "attn_k": spec.text_kv_heads}
    return text, tensors.encode(state, text, {2: spec.text_type}, heads)


@torch.no_grad()
def write_pair(spec, model, folder):
    """Writes both files and leaves in `model` exactly the numbers that they hold."""
    state = model.state_dict()
    arrays = {name: weight.numpy() for name, weight in state.items()}
    files = (
        (PROJECTOR, "clip", vision_keys(spec), *projector_tensors(spec, arrays)),
        (MODEL, "llama", text_keys(spec), *model_tensors(spec, arrays)),
    )
    for file, architecture, metadata, renamed, stored in files:
        writer.write(folder / file, architecture, metadata, stored)
        for theirs, ours in renamed.items():
            state[theirs].copy_(torch.from_numpy(stored[ours].values))
