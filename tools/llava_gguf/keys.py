"""Metadata that every pair has. What differs between converters (grids, merging, BOS) each script adds itself.

The order of the keys is their order in the file. Source: llama.cpp, gguf-py/gguf/constants.py.
"""

from . import pieces

# CLIP's colour normalisation, red, green, blue in 0..1. Source: openai/CLIP, clip/clip.py.
MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]

# The keys that say which parts the projector's file contains.
CONTENTS = {
    "clip.has_text_encoder": False,
    "clip.has_vision_encoder": True,
    "clip.has_llava_projector": True,
}


def tower_keys(*, image, patch, width, ff, projection, heads, eps, blocks):
    """The tower's shape. `image`, `patch`: sides in pixels; `width`, `ff`, `projection`: numbers of features.

    `projection` is the width of CLIP's joint space, which LLaVA does not use; but files state it.
    """
    return {
        "clip.use_gelu": False,  # the tower uses quick_gelu, as OpenAI's CLIP does
        "clip.vision.image_size": image,
        "clip.vision.patch_size": patch,
        "clip.vision.embedding_length": width,
        "clip.vision.feed_forward_length": ff,
        "clip.vision.projection_dim": projection,
        "clip.vision.attention.head_count": heads,
        "clip.vision.attention.layer_norm_epsilon": eps,
        "clip.vision.block_count": blocks,
        "clip.vision.image_mean": MEAN,
        "clip.vision.image_std": STD,
    }


def llama_keys(*, context, width, blocks, ff, heads, kv_heads, eps, theta, vocabulary):
    """The language model's shape. `context`, `vocabulary`: numbers of tokens; `width`, `ff`: of features."""
    return {
        "llama.context_length": context,
        "llama.embedding_length": width,
        "llama.block_count": blocks,
        "llama.feed_forward_length": ff,
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": kv_heads,
        "llama.attention.layer_norm_rms_epsilon": eps,
        "llama.rope.freq_base": theta,
        "llama.rope.dimension_count": width // heads,
        "llama.vocab_size": vocabulary,
    }


def tokenizer_keys(tokens, scores, marks=pieces.NORMAL):
    """The vocabulary: `tokens` as `pieces.tokens` lays them out, one score for each, and ChatML's marks' type."""
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.token_type": pieces.types(tokens, marks),
        "tokenizer.ggml.bos_token_id": pieces.BOS,
        "tokenizer.ggml.eos_token_id": pieces.STOP,
        "tokenizer.ggml.unknown_token_id": pieces.UNKNOWN,
        "tokenizer.ggml.padding_token_id": pieces.UNKNOWN,
    }
