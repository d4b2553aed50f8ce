"""What Hugging Face computes: tiles, packed features, first logits, greedy tokens. float32, eager attention, CPU."""

import math

import numpy as np
import torch
from PIL import Image
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

import geometry
import vocabulary

BACKGROUND = (122, 116, 104)  # CLIP's mean colour in whole bytes, with which the original repository fills borders
NEW_TOKENS = 32


def _square(picture):
    """The original repository's expand2square: the picture in the middle of a square of the background colour."""
    width, height = picture.size
    if width == height:
        return picture
    side = max(width, height)
    square = Image.new("RGB", (side, side), BACKGROUND)
    square.paste(picture, ((side - width) // 2, (side - height) // 2))
    return square


class Reference:
    def __init__(self, spec, model):
        self.spec, self.model = spec, model
        size = dict(size={"shortest_edge": spec.image}, crop_size={"height": spec.image, "width": spec.image})
        if spec.grids:
            self.processor = LlavaNextImageProcessorPil(image_grid_pinpoints=model.config.image_grid_pinpoints, **size)
            if spec.merge != "spatial_unpad":
                model.model.pack_image_features = self._pack
        else:
            self.processor = LlavaImageProcessorPil(**size)

    def _pack(self, features, sizes, *_, **__):
        """The merge types that Hugging Face lacks: flat (tile after tile) and spatial (the grid's rows, no newline)."""
        packed = []
        for tiles, (height, width) in zip(features, sizes.tolist()):
            base, grid = tiles[0], tiles[1:]
            if self.spec.merge == "spatial":
                cols, rows = geometry.layout(self.spec, width, height)[:2]
                side = self.spec.side
                grid = grid.view(rows, cols, side, side, -1).permute(0, 2, 1, 3, 4)
            packed.append(torch.cat([base, grid.reshape(-1, base.shape[-1])]))
        return packed, torch.tensor([len(p) for p in packed])

    def _process(self, pictures, **options):
        """pictures: list of uint8 [height, width, 3]."""
        images = [Image.fromarray(p) for p in pictures]
        if self.spec.aspect in (None, "pad"):
            images = [_square(image) for image in images]
        return self.processor(images, **options)

    def tiles(self, picture):
        """uint8 [tiles, side, side, 3]: what the tower sees, before normalisation."""
        pixels = self._process([picture], do_rescale=False, do_normalize=False)["pixel_values"][0]
        pixels = np.asarray(pixels)
        pixels = pixels if pixels.ndim == 4 else pixels[None]
        assert pixels.dtype == np.uint8
        return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))

    def _inputs(self, pictures):
        data = self._process(pictures, return_tensors="pt")
        inputs = {"pixel_values": data["pixel_values"].float()}
        if self.spec.grids:
            inputs["image_sizes"] = data["image_sizes"]
        return inputs

    @torch.no_grad()
    def features(self, picture):
        """float32 [tokens, text width]: projected and packed."""
        packed = self.model.get_image_features(**self._inputs([picture]))
        return packed.pooler_output[0].numpy()

    @torch.no_grad()
    def caption(self, pictures, question, tokens):
        """tokens: image tokens in all. Returns (prompt's text tokens, first logits [vocabulary], ids, margins).

        A margin is the difference of the two highest logits at a step. The stop token is not among the ids, but its
        step has a margin.
        """
        spec = self.spec
        before, after = vocabulary.prompt(spec.template, question, spec.add_bos, spec.space_prefix)
        ids = torch.tensor([before + [vocabulary.IMAGE] * tokens + after])
        out = self.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            **self._inputs(pictures),
            do_sample=False,
            max_new_tokens=NEW_TOKENS,
            output_logits=True,
            return_dict_in_generate=True,
        )
        logits = torch.stack(out.logits, 1)[0]
        best = logits.topk(2).values
        chosen = out.sequences[0, ids.shape[1] :].tolist()
        assert chosen == logits.argmax(-1).tolist() and math.isfinite(best.sum())
        if chosen[-1] == vocabulary.STOP:
            chosen.pop()
        return before + after, logits[0].numpy(), chosen, (best[:, 0] - best[:, 1]).tolist()
