"""Writes the two GGUF files that ship, and reads them back into Hugging Face's LLaVA-NeXT.

`python export.py CHECKPOINT --out models/demo`
"""

import argparse
import pathlib

import gguf
import numpy as np
import torch
import transformers

import tokenizer
from model import MEAN, PATCH, PINPOINTS, STD, TEXT, TILE, VISION, Llava

MODEL_FILE, MMPROJ_FILE = "vcap-demo.gguf", "vcap-demo-mmproj.gguf"
VISION_NAMES = {
    "layer_norm1": "ln1",
    "layer_norm2": "ln2",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.out_proj": "attn_out",
    "mlp.fc1": "ffn_up",
    "mlp.fc2": "ffn_down",
}
TEXT_NAMES = {
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


def vision_tensors(model):
    """GGUF name -> float32 array of the tower and projector."""
    w = {k: v.detach().float().numpy() for k, v in model.state_dict().items()}
    out = {
        "v.class_embd": w["tower.cls"],
        "v.patch_embd.weight": w["tower.patch.weight"].reshape(-1, 3, PATCH, PATCH),
        "v.position_embd.weight": w["tower.position"],
        "v.image_newline": w["newline"],
    }
    for kind in ("weight", "bias"):
        out[f"v.pre_ln.{kind}"] = w[f"tower.pre_norm.{kind}"]
        out[f"mm.0.{kind}"] = w[f"tower.linear_1.{kind}"]
        out[f"mm.2.{kind}"] = w[f"tower.linear_2.{kind}"]
        for block in range(VISION["blocks"]):
            for ours, theirs in VISION_NAMES.items():
                out[f"v.blk.{block}.{theirs}.{kind}"] = w[f"tower.blocks.{block}.{ours}.{kind}"]
    return out


def interleave(weight, heads, back=False):
    """Rows of a q or k matrix from Hugging Face's rotary layout (halves) to ggml's (neighbours), or back."""
    rows, cols = weight.shape
    order = (heads, rows // heads // 2, 2, cols) if back else (heads, 2, rows // heads // 2, cols)
    return weight.reshape(order).swapaxes(1, 2).reshape(rows, cols)


def text_tensors(model):
    """GGUF name -> array: matrices float16, norms float32."""
    w = {k: v.detach().float().numpy() for k, v in model.language.state_dict().items()}
    out = {
        "token_embd.weight": w["embed_tokens.weight"],
        "output_norm.weight": w["norm.weight"],
        "output.weight": w["lm_head.weight"],
    }
    for block in range(TEXT["blocks"]):
        for ours, theirs in TEXT_NAMES.items():
            x = w[f"layers.{block}.{ours}.weight"]
            if theirs in ("attn_q", "attn_k"):
                x = interleave(x, TEXT["heads"])
            out[f"blk.{block}.{theirs}.weight"] = x
    return {k: v.astype(np.float16) if v.ndim == 2 else v for k, v in out.items()}


def write(path, arch, keys, tensors):
    writer = gguf.GGUFWriter(path, arch)
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
    for name, array in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def about(name, description):
    return {
        "general.name": name,
        "general.description": description,
        "general.author": "the vcap-native authors",
    }


def export(model, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    keys = about("vcap demo projector", "Captions clips of one moving shape. Made by tools/demo-model.")
    keys |= {
        "general.file_type": 0,
        "clip.has_text_encoder": False,
        "clip.has_vision_encoder": True,
        "clip.has_llava_projector": True,
        "clip.projector_type": "mlp",
        "clip.use_gelu": False,
        "clip.vision.image_size": TILE,
        "clip.vision.patch_size": PATCH,
        "clip.vision.embedding_length": VISION["width"],
        "clip.vision.feed_forward_length": VISION["ff"],
        "clip.vision.projection_dim": VISION["width"],
        "clip.vision.attention.head_count": VISION["heads"],
        "clip.vision.attention.layer_norm_epsilon": VISION["eps"],
        "clip.vision.block_count": VISION["blocks"],
        "clip.vision.image_mean": [float(x) for x in MEAN],
        "clip.vision.image_std": [float(x) for x in STD],
        "clip.vision.image_grid_pinpoints": [side for point in PINPOINTS for side in point],
        "clip.vision.image_crop_resolution": TILE,
        "clip.vision.image_aspect_ratio": "anyres",
        "clip.vision.mm_patch_merge_type": "spatial_unpad",
        "clip.vision.mm_projector_type": "mlp2x_gelu",
    }
    write(folder / MMPROJ_FILE, "clip", keys, vision_tensors(model))

    tokens = tokenizer.Tokenizer().tokens
    types = [6 if 0 <= i - len(tokenizer.CONTROL) < 256 else 1 for i in range(len(tokens))]
    types[: len(tokenizer.CONTROL)] = [2] + [3] * (len(tokenizer.CONTROL) - 1)
    types[-1] = 3
    types = [5 if t.startswith("<unused") else k for t, k in zip(tokens, types)]
    keys = about("vcap demo", "Captions clips of one moving shape. Made by tools/demo-model.")
    keys |= {
        "general.file_type": 1,
        "llama.context_length": TEXT["context"],
        "llama.embedding_length": TEXT["width"],
        "llama.block_count": TEXT["blocks"],
        "llama.feed_forward_length": TEXT["ff"],
        "llama.attention.head_count": TEXT["heads"],
        "llama.attention.head_count_kv": TEXT["heads"],
        "llama.attention.layer_norm_rms_epsilon": TEXT["eps"],
        "llama.rope.freq_base": TEXT["theta"],
        "llama.rope.dimension_count": TEXT["width"] // TEXT["heads"],
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": tokenizer.scores(tokens),
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.bos_token_id": tokenizer.BOS,
        "tokenizer.ggml.eos_token_id": tokenizer.STOP,
        "tokenizer.ggml.unknown_token_id": tokenizer.UNKNOWN,
        "tokenizer.ggml.padding_token_id": tokenizer.UNKNOWN,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.add_eos_token": False,
        "tokenizer.ggml.add_space_prefix": False,
    }
    write(folder / MODEL_FILE, "llama", keys, text_tensors(model))


def hf_config():
    vision = transformers.CLIPVisionConfig(
        hidden_size=VISION["width"],
        intermediate_size=VISION["ff"],
        num_hidden_layers=VISION["blocks"] + 1,  # the last never counts: features are hidden_states[-2]
        num_attention_heads=VISION["heads"],
        image_size=TILE,
        patch_size=PATCH,
        hidden_act="quick_gelu",
        layer_norm_eps=VISION["eps"],
        projection_dim=VISION["width"],
    )
    text = transformers.LlamaConfig(
        vocab_size=tokenizer.SIZE,
        hidden_size=TEXT["width"],
        intermediate_size=TEXT["ff"],
        num_hidden_layers=TEXT["blocks"],
        num_attention_heads=TEXT["heads"],
        num_key_value_heads=TEXT["heads"],
        max_position_embeddings=TEXT["context"],
        rms_norm_eps=TEXT["eps"],
        rope_parameters={"rope_type": "default", "rope_theta": TEXT["theta"]},
        bos_token_id=tokenizer.BOS,
        eos_token_id=tokenizer.STOP,
        pad_token_id=tokenizer.UNKNOWN,
        tie_word_embeddings=False,
    )
    return transformers.LlavaNextConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.SIZE - 1,
        projector_hidden_act="gelu",
        vision_feature_select_strategy="default",
        vision_feature_layer=-2,
        image_grid_pinpoints=PINPOINTS,
        tie_word_embeddings=False,
    )


def load_hf(folder):
    """Hugging Face's LLaVA-NeXT, float32 and eager, with the weights as the two GGUF files hold them."""
    folder = pathlib.Path(folder)
    read = lambda name: {
        t.name: torch.from_numpy(t.data.reshape(tuple(int(n) for n in t.shape[::-1])).astype(np.float32))
        for t in gguf.GGUFReader(folder / name).tensors
    }
    vision, text = read(MMPROJ_FILE), read(MODEL_FILE)
    v = "model.vision_tower."
    model = transformers.LlavaNextForConditionalGeneration._from_config(hf_config(), attn_implementation="eager").eval()
    names = model.state_dict()
    if f"{v}embeddings.class_embedding" not in names:  # transformers before 5 has one module more
        v += "vision_model."
    state = {
        f"{v}embeddings.class_embedding": vision["v.class_embd"],
        f"{v}embeddings.patch_embedding.weight": vision["v.patch_embd.weight"],
        f"{v}embeddings.position_embedding.weight": vision["v.position_embd.weight"],
        "model.image_newline": vision["v.image_newline"],
        "model.language_model.embed_tokens.weight": text["token_embd.weight"],
        "model.language_model.norm.weight": text["output_norm.weight"],
        "lm_head.weight": text["output.weight"],
    }
    for kind in ("weight", "bias"):
        state[f"{v}pre_layrnorm.{kind}"] = vision[f"v.pre_ln.{kind}"]
        state[f"model.multi_modal_projector.linear_1.{kind}"] = vision[f"mm.0.{kind}"]
        state[f"model.multi_modal_projector.linear_2.{kind}"] = vision[f"mm.2.{kind}"]
        for block in range(VISION["blocks"]):
            for ours, theirs in VISION_NAMES.items():
                state[f"{v}encoder.layers.{block}.{ours}.{kind}"] = vision[f"v.blk.{block}.{theirs}.{kind}"]
    for block in range(TEXT["blocks"]):
        for ours, theirs in TEXT_NAMES.items():
            x = text[f"blk.{block}.{theirs}.weight"]
            if theirs in ("attn_q", "attn_k"):
                x = interleave(x, TEXT["heads"], back=True)
            state[f"model.language_model.layers.{block}.{ours}.weight"] = x
    unused = lambda name: f"encoder.layers.{VISION['blocks']}." in name or "post_layernorm" in name
    missing, unexpected = model.load_state_dict(state, strict=False)
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
