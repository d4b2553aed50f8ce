"""HF transformers' LlavaNext on the CPU, as a peer of the benchmark. It reads and writes one JSON object a line.

First line: {"language": shape, "projector": shape, "threads": n, "dtype": "float32"}; the answer says that it is
ready. Then for each batch {"requests": [{"images": [base64 JPEG], "tokens": n}], "text_tokens": n, "together": n,
"anyres": "full" | "off" | "pool"}; the answer has the seconds from the JPEG files to the last token. Weights are
random, of the shapes given.
"""
import base64
import io
import json
import sys
import time

import torch
from PIL import Image
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextImageProcessor,
)

IMAGE_TOKEN = 31999


def build(language, projector, dtype):
    side = projector["image"]
    config = LlavaNextConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=projector["width"],
            intermediate_size=projector["feedForward"],
            num_hidden_layers=projector["layers"],
            num_attention_heads=projector["heads"],
            image_size=side,
            patch_size=projector["patch"],
            hidden_act="quick_gelu",
        ),
        text_config=LlamaConfig(
            hidden_size=language["width"],
            intermediate_size=language["feedForward"],
            num_hidden_layers=language["layers"],
            num_attention_heads=language["heads"],
            num_key_value_heads=language["groups"],
            vocab_size=language["vocabulary"],
            max_position_embeddings=language["context"],
            rope_theta=language["ropeBase"],
        ),
        image_token_index=IMAGE_TOKEN,
        image_grid_pinpoints=[
            [side, 2 * side], [2 * side, side], [2 * side, 2 * side], [3 * side, side], [side, 3 * side],
        ],
        # The tower in the GGUF file stores no blocks after the one whose output is used; neither does this one.
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
    )
    config._attn_implementation = "sdpa"
    torch.manual_seed(0)
    model = LlavaNextForConditionalGeneration(config).to(dtype).eval()
    processor = LlavaNextImageProcessor(
        size={"shortest_edge": side},
        crop_size={"height": side, "width": side},
        image_grid_pinpoints=config.image_grid_pinpoints,
    )
    return model, processor


def image_tokens(model, size, projector):
    """The number of features that the model makes of one image, newline features included."""
    from transformers.models.llava_next.modeling_llava_next import get_anyres_image_grid_shape

    side, patch = projector["image"], projector["patch"]
    base = side // patch
    width, height = size
    rows, cols = get_anyres_image_grid_shape((height, width), model.config.image_grid_pinpoints, side)
    grid_width, grid_height = cols * base, rows * base
    if width / height > grid_width / grid_height:
        kept = int(round(height * (grid_width / width), 7))
        grid_height -= (grid_height - kept) // 2 * 2
    else:
        kept = int(round(width * (grid_height / height), 7))
        grid_width -= (grid_width - kept) // 2 * 2
    return base * base + grid_height * (grid_width + 1)


@torch.inference_mode()
def caption(model, processor, projector, requests, text_tokens, anyres):
    pictures = [
        Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB")
        for request in requests
        for image in request["images"]
    ]
    frames, tokens = len(requests[0]["images"]), requests[0]["tokens"]
    vision = processor(images=pictures, return_tensors="pt")
    pixels = vision["pixel_values"].to(model.dtype)
    extra = {}
    if anyres != "full":
        # One tile a frame: only the overviews, as in LLaVA-1.5, without the newline features that LLaVA-NeXT adds.
        pixels, side = pixels[:, 0], projector["image"] // projector["patch"]
        each = side**2
        features = model.model.multi_modal_projector(model.model.vision_tower(pixels).last_hidden_state[:, 1:])
        if anyres == "pool":
            grid = features.transpose(1, 2).unflatten(2, (side, side))
            features, each = torch.nn.functional.avg_pool2d(grid, 2).flatten(2).transpose(1, 2), (side // 2) ** 2
        embeddings = model.get_input_embeddings()
        text = torch.arange(10, 10 + text_tokens).repeat(len(requests), 1)
        joined = torch.cat([features.reshape(len(requests), frames * each, -1), embeddings(text)], dim=1)
        extra = {"inputs_embeds": joined, "attention_mask": torch.ones(joined.shape[:2], dtype=torch.long)}
    else:
        each = image_tokens(model, pictures[0].size, projector)
        row = [IMAGE_TOKEN] * (frames * each) + list(range(10, 10 + text_tokens))
        ids = torch.tensor([row] * len(requests))
        extra = {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "pixel_values": pixels,
            "image_sizes": vision["image_sizes"],
        }
    out = model.generate(
        **extra, min_new_tokens=tokens, max_new_tokens=tokens, do_sample=False, pad_token_id=0, eos_token_id=2
    )
    made = out.shape[1] - (0 if anyres != "full" else extra["input_ids"].shape[1])
    return [{"tokens": made, "promptTokens": frames * each + text_tokens, "imageTokens": frames * each}] * len(requests)


def main():
    answer = sys.stdout
    sys.stdout = sys.stderr
    say = lambda message: print(json.dumps(message), file=answer, flush=True)
    setup = json.loads(sys.stdin.readline())
    torch.set_num_threads(setup["threads"])
    projector = setup["projector"]
    model, processor = build(setup["language"], projector, getattr(torch, setup["dtype"]))
    say({"ready": torch.__version__})
    for line in sys.stdin:
        order = json.loads(line)
        started = time.perf_counter()
        captions = []
        for first in range(0, len(order["requests"]), order["together"]):
            together = order["requests"][first:first + order["together"]]
            captions += caption(model, processor, projector, together, order["text_tokens"], order["anyres"])
        say({"seconds": time.perf_counter() - started, "captions": captions})


main()
