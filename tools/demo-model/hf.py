"""The demo model as Hugging Face's LLaVA-NeXT: its configuration, and weights converted both ways."""

import transformers

import tokenizer
from model import PATCH, PINPOINTS, TEXT, TILE, VISION, Llava
from shared import names

# Beginnings of weights' names in `model.Llava`, and in Hugging Face's state dict; the first that fits is used.
BEGINNINGS = {
    "newline": "model.image_newline",
    "language.lm_head.": "lm_head.",
    "language.": "model.language_model.",
    "tower.linear_": "model.multi_modal_projector.linear_",
    "tower.cls": names.TOWER + "embeddings.class_embedding",
    "tower.position": names.TOWER + "embeddings.position_embedding.weight",
    "tower.patch.": names.TOWER + "embeddings.patch_embedding.",
    "tower.pre_norm.": names.TOWER + "pre_layrnorm.",
    "tower.blocks.": names.TOWER + "encoder.layers.",
}


def hf_name(name):
    """Hugging Face's name of a weight of `model.Llava`."""
    ours, theirs = next(pair for pair in BEGINNINGS.items() if name.startswith(pair[0]))
    return theirs + name[len(ours) :]


def to_hf(model):
    """The weights of a `model.Llava` as a dict from Hugging Face's names to float32 arrays."""
    state = {hf_name(name): weight.detach().float().numpy() for name, weight in model.state_dict().items()}
    patch = names.TOWER + "embeddings.patch_embedding.weight"
    state[patch] = state[patch].reshape(-1, 3, PATCH, PATCH)  # a matrix here, a convolution in Hugging Face
    return state


def from_hf(hf):
    """A `model.Llava` with the weights of a Hugging Face model."""
    model, source = Llava(tokenizer.SIZE), hf.state_dict()
    model.load_state_dict({name: source[hf_name(name)].reshape(w.shape) for name, w in model.state_dict().items()})
    return model.eval()


def config():
    """The model's shape as transformers' configuration."""
    vision = transformers.CLIPVisionConfig(
        hidden_size=VISION["width"],
        intermediate_size=VISION["ff"],
        num_hidden_layers=VISION["blocks"] + 1,  # features are hidden_states[-2], so the last block has no effect
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
