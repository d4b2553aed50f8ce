"""Names of weights: Hugging Face's (transformers 5) to GGUF's. The order is the tensors' order in the file.

Source: llama.cpp, tools/mtmd/clip-impl.h for the projector's file, src/llama-arch.cpp for the language model's.
"""

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


def vision_names(blocks, newline="v.image_newline", swapped=False):
    """The projector's file, with the first `blocks` blocks of the tower.

    `newline` is GGUF's name of the image newline, None where the model has none. `swapped`: the first matrix of the
    feed-forward network is called ffn_down and the second ffn_up, as the legacy converter does.
    """
    names = {
        TOWER + "embeddings.class_embedding": "v.class_embd",
        TOWER + "embeddings.patch_embedding.weight": "v.patch_embd.weight",
        TOWER + "embeddings.position_embedding.weight": "v.position_embd.weight",
    }
    if newline:
        names["model.image_newline"] = newline
    first, second = ("ffn_down", "ffn_up") if swapped else ("ffn_up", "ffn_down")
    for kind in ("weight", "bias"):
        names[f"{TOWER}pre_layrnorm.{kind}"] = f"v.pre_ln.{kind}"
        names[f"model.multi_modal_projector.linear_1.{kind}"] = f"mm.0.{kind}"
        names[f"model.multi_modal_projector.linear_2.{kind}"] = f"mm.2.{kind}"
        for block in range(blocks):
            for theirs, ours in {**VISION_BLOCK, "mlp.fc1": first, "mlp.fc2": second}.items():
                names[f"{TOWER}encoder.layers.{block}.{theirs}.{kind}"] = f"v.blk.{block}.{ours}.{kind}"
    return names


def text_names(blocks):
    """The language model's file."""
    names = {
        "model.language_model.embed_tokens.weight": "token_embd.weight",
        "model.language_model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }
    for block in range(blocks):
        for theirs, ours in TEXT_BLOCK.items():
            names[f"model.language_model.layers.{block}.{theirs}.weight"] = f"blk.{block}.{ours}.weight"
    return names
