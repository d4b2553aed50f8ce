"""GGUF pairs: Hugging Face's weights under llama.cpp's names, in the dialect a spec asks for."""

import gguf
import numpy as np
import torch

import vocabulary
from storage import store

MODEL, PROJECTOR = "model.gguf", "mmproj.gguf"
MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]
TOWER = "model.vision_tower."
VISION_BLOCK = {
    "layer_norm1": "ln1",
    "layer_norm2": "ln2",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.out_proj": "attn_out",
}
TEXT_BLOCK = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def vision_names(spec):
    """Hugging Face's name -> GGUF's, for the projector file."""
    names = {
        TOWER + "embeddings.class_embedding": "v.class_embd",
        TOWER + "embeddings.patch_embedding.weight": "v.patch_embd.weight",
        TOWER + "embeddings.position_embedding.weight": "v.position_embd.weight",
    }
    if spec.newline:
        names["model.image_newline"] = spec.newline
    fc1, fc2 = ("ffn_down", "ffn_up") if spec.swapped else ("ffn_up", "ffn_down")
    for kind in ("weight", "bias"):
        names[f"{TOWER}pre_layrnorm.{kind}"] = f"v.pre_ln.{kind}"
        names[f"model.multi_modal_projector.linear_1.{kind}"] = f"mm.0.{kind}"
        names[f"model.multi_modal_projector.linear_2.{kind}"] = f"mm.2.{kind}"
        for block in range(spec.stored):
            for theirs, ours in {**VISION_BLOCK, "mlp.fc1": fc1, "mlp.fc2": fc2}.items():
                names[f"{TOWER}encoder.layers.{block}.{theirs}.{kind}"] = f"v.blk.{block}.{ours}.{kind}"
    return names


def text_names(spec):
    """Hugging Face's name -> GGUF's, for the language model's file."""
    names = {
        "model.language_model.embed_tokens.weight": "token_embd.weight",
        "model.language_model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }
    for block in range(spec.text_blocks):
        for theirs, ours in TEXT_BLOCK.items():
            names[f"model.language_model.layers.{block}.{theirs}.weight"] = f"blk.{block}.{ours}.weight"
    return names


def _rotary(weight, heads, back=False):
    """Rows of a query or key matrix [heads · size, in] from rotary halves (Hugging Face) to neighbours (ggml), or back."""
    rows, columns = weight.shape
    order = (heads, rows // heads // 2, 2, columns) if back else (heads, 2, rows // heads // 2, columns)
    return weight.reshape(order).swapaxes(1, 2).reshape(rows, columns)


def vision_keys(spec):
    """Metadata of the projector file."""
    keys = {
        "general.name": f"parity {spec.name}",
        "general.file_type": 0 if spec.vision_type == "F32" else 1,
        "clip.has_text_encoder": False,
        "clip.has_vision_encoder": True,
        "clip.has_llava_projector": True,
        "clip.use_gelu": False,
        "clip.vision.image_size": spec.image,
        "clip.vision.patch_size": spec.patch,
        "clip.vision.embedding_length": spec.width,
        "clip.vision.feed_forward_length": spec.ff,
        "clip.vision.projection_dim": 768,
        "clip.vision.attention.head_count": spec.heads,
        "clip.vision.attention.layer_norm_epsilon": spec.eps,
        "clip.vision.block_count": spec.stored,
        "clip.vision.image_mean": MEAN,
        "clip.vision.image_std": STD,
    }
    optional = {
        "clip.projector_type": "mlp" if spec.projector_type else None,
        "clip.vision.feature_layer": None if spec.feature_layer is None else [spec.feature_layer],
        "clip.vision.image_grid_pinpoints": [side for grid in spec.pinpoints for side in grid] or None,
        "clip.vision.mm_patch_merge_type": spec.merge,
        "clip.vision.image_aspect_ratio": spec.aspect,
    }
    return keys | {key: value for key, value in optional.items() if value is not None}


def text_keys(spec):
    """Metadata of the language model's file."""
    return {
        "general.name": f"parity {spec.name}",
        "general.file_type": {"F32": 0, "F16": 1, "Q8_0": 7}[spec.text_type],
        "llama.context_length": 16384,
        "llama.embedding_length": spec.text_width,
        "llama.block_count": spec.text_blocks,
        "llama.feed_forward_length": spec.text_ff,
        "llama.attention.head_count": spec.text_heads,
        "llama.attention.head_count_kv": spec.text_kv_heads,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.freq_base": spec.theta,
        "llama.rope.dimension_count": spec.text_width // spec.text_heads,
        "llama.vocab_size": vocabulary.SIZE,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": vocabulary.TOKENS,
        "tokenizer.ggml.scores": vocabulary.SCORES,
        "tokenizer.ggml.token_type": vocabulary.TYPES,
        "tokenizer.ggml.bos_token_id": vocabulary.BOS,
        "tokenizer.ggml.eos_token_id": vocabulary.STOP,
        "tokenizer.ggml.unknown_token_id": vocabulary.UNKNOWN,
        "tokenizer.ggml.padding_token_id": vocabulary.UNKNOWN,
        "tokenizer.ggml.add_bos_token": spec.add_bos,
        "tokenizer.ggml.add_space_prefix": spec.space_prefix,
    }


def _write(path, architecture, keys, tensors):
    """tensors: GGUF name -> (data, GGML type or None)."""
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in keys.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)
    for name, (data, kind) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@torch.no_grad()
def write_pair(spec, model, folder):
    """Writes both files and leaves in `model` exactly the numbers that they hold."""
    state = model.state_dict()
    files = ((PROJECTOR, "clip", vision_keys(spec), vision_names(spec)), (MODEL, "llama", text_keys(spec), text_names(spec)))
    for file, architecture, keys, names in files:
        tensors = {}
        for theirs, ours in names.items():
            weight = state[theirs].numpy()
            heads = {"attn_q": spec.text_heads, "attn_k": spec.text_kv_heads}.get(ours.split(".")[-2]) if file == MODEL else None
            if weight.ndim == 4:
                kind = "F16" if spec.half_kernel or spec.vision_type != "F32" else "F32"
            elif weight.ndim == 2:
                kind = spec.vision_type if file == PROJECTOR else spec.text_type
            else:
                kind = "F32"
            data, ggml_type, values = store(_rotary(weight, heads) if heads else weight, kind)
            state[theirs].copy_(torch.from_numpy(np.array(_rotary(values, heads, back=True) if heads else values)))
            tensors[ours] = (data, ggml_type)
        _write(folder / file, architecture, keys, tensors)
