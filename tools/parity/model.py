"""Random Hugging Face LLaVA models, with larger weights than a fresh initialisation has.

Their outputs vary so much that any shift, swap or omission in an implementation shows.
"""

import math

import torch
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextVideoConfig,
    LlavaNextVideoForConditionalGeneration,
)

import vocabulary


def build(spec):
    """The model of a spec, uninitialised: float32, eager attention, evaluation mode."""
    layers = max(spec.stored, spec.runs + 1)
    vision = CLIPVisionConfig(
        hidden_size=spec.width,
        intermediate_size=spec.ff,
        num_hidden_layers=layers,
        num_attention_heads=spec.heads,
        image_size=spec.image,
        patch_size=spec.patch,
        layer_norm_eps=spec.eps,
        hidden_act="quick_gelu",
    )
    text = LlamaConfig(
        vocab_size=vocabulary.SIZE,
        hidden_size=spec.text_width,
        intermediate_size=spec.text_ff,
        num_hidden_layers=spec.text_blocks,
        num_attention_heads=spec.text_heads,
        num_key_value_heads=spec.text_kv_heads,
        max_position_embeddings=16384,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": spec.theta},
        bos_token_id=vocabulary.BOS,
        eos_token_id=vocabulary.STOP,
        pad_token_id=vocabulary.UNKNOWN,
    )
    shared = dict(
        vision_config=vision,
        text_config=text,
        image_token_index=vocabulary.IMAGE,
        vision_feature_layer=spec.runs - layers - 1,
        vision_feature_select_strategy="default",
        projector_hidden_act="gelu",
        tie_word_embeddings=False,
        attn_implementation="eager",
    )
    if spec.grids:
        # The sides are exchanged because Hugging Face reads (height, width), the original repository (width, height).
        # So both see the same rectangles in the same order, and choose alike between two that are equally good.
        grids = [[height, width] for width, height in spec.pinpoints]
        if spec.pooling:
            config = LlavaNextVideoConfig(image_grid_pinpoints=grids, video_token_index=vocabulary.VIDEO, **shared)
            model = LlavaNextVideoForConditionalGeneration(config)
        else:
            model = LlavaNextForConditionalGeneration(LlavaNextConfig(image_grid_pinpoints=grids, **shared))
    else:
        model = LlavaForConditionalGeneration(LlavaConfig(**shared))
    model.generation_config.update(bos_token_id=vocabulary.BOS, eos_token_id=vocabulary.STOP, pad_token_id=0)
    return model.float().eval()


def _deviation(name, parameter, blocks):
    """Standard deviation of a parameter's random numbers. `blocks` is the number of the tower's blocks."""
    if parameter.dim() == 1:
        return 1.0 if "class_embedding" in name or "image_newline" in name else 0.2
    if "position_embedding" in name:
        return 0.5
    if "embed_tokens" in name:
        return 1.0
    fan_in = math.prod(parameter.shape[1:])
    gain = 2.0 if any(part in name for part in ("q_proj", "k_proj", "patch_embedding", "multi_modal")) else 1.2
    if "out_proj" in name or "mlp.fc2" in name:
        # Each block's output is smaller in a deeper tower: otherwise a deep, narrow one would amplify rounding errors.
        gain *= min(1.0, math.sqrt(3 / blocks))
    return gain / math.sqrt(fan_in)


@torch.no_grad()
def randomise(model, seed):
    """Fills every parameter in place, in the order of their names."""
    generator = torch.Generator().manual_seed(seed)
    blocks = model.config.vision_config.num_hidden_layers
    for name, parameter in sorted(model.named_parameters()):
        norm = "norm" in name and name.endswith("weight")
        noise = torch.randn(parameter.shape, generator=generator) * _deviation(name, parameter, blocks)
        parameter.copy_(noise + 1.0 if norm else noise)
    # No control token but the stop token may be the likeliest: the harness does not test what the others mean.
    others = [*range(vocabulary.STOP), vocabulary.IMAGE] + [vocabulary.VIDEO] * hasattr(model.config, "video_token_id")
    model.lm_head.weight[others] *= 0.05
