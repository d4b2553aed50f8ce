"""What Hugging Face computes: tiles, packed features, first logits, greedy tokens. float32, eager attention, CPU."""

import math

import numpy as np
import torch
from PIL import Image
from torch.nn import functional
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.llava_next_video.modeling_llava_next_video import LlavaNextVideoPooler

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
        # A video's frames are preprocessed by CLIP's own rule: the short side scaled, the middle square cut out.
        self.frame_processor = LlavaImageProcessorPil(**size)
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

    def video_tiles(self, frames):
        """frames: list of uint8 [height, width, 3]. uint8 [frames, side, side, 3]: what the tower sees of them."""
        images = [Image.fromarray(frame) for frame in frames]
        pixels = self.frame_processor(images, do_rescale=False, do_normalize=False)["pixel_values"]
        return np.ascontiguousarray(np.stack(pixels).transpose(0, 2, 3, 1))

    def _video_inputs(self, frames):
        images = [Image.fromarray(frame) for frame in frames]
        return {"pixel_values_videos": self.frame_processor(images, return_tensors="pt")["pixel_values"].float()[None]}

    def _set_pooling(self, pooling):
        """Has the model pool by Hugging Face's own means; False where it has none for that."""
        if pooling.place == "after" or pooling.mode == "bilinear" or pooling.newline != "no_token":
            return False
        config = self.model.config
        config.spatial_pool_mode, config.spatial_pool_stride = pooling.mode, pooling.stride
        self.model.model.vision_resampler = LlavaNextVideoPooler(config)
        return True

    def _pool(self, pooling, x):
        """LLaVA-NeXT's pooling (get_2dPool): x [frames, patches, width]."""
        side, stride = self.spec.side, pooling.stride
        grid = x.view(len(x), side, side, -1).permute(0, 3, 1, 2)
        if pooling.mode == "bilinear":
            pooled = functional.interpolate(grid, size=[math.ceil(side / stride)] * 2, mode="bilinear")
        else:
            pooled = {"average": functional.avg_pool2d, "max": functional.max_pool2d}[pooling.mode](grid, stride)
        return pooled.permute(0, 2, 3, 1).flatten(1, 2)

    def _original_features(self, pooling, pixels):
        """[tokens, width] of one video as LLaVA-NeXT has it, from Hugging Face's tower and projector."""
        model = self.model.model
        hidden = model.vision_tower(pixels[0], output_hidden_states=True).hidden_states
        patches = hidden[self.model.config.vision_feature_layer][:, 1:]
        if pooling.place == "before":
            features = model.multi_modal_projector(self._pool(pooling, patches))
        else:
            features = self._pool(pooling, model.multi_modal_projector(patches))
        frames, count, width = features.shape
        line = math.isqrt(count) if pooling.newline == "grid" else count
        rows = features.view(frames, -1, line, width)
        newline = model.image_newline
        if pooling.newline in ("grid", "frame"):
            rows = torch.cat([rows, newline.expand(*rows.shape[:2], 1, width)], 2)
        flat = rows.reshape(-1, width)
        return torch.cat([flat, newline[None]]) if pooling.newline == "one_token" else flat

    @torch.no_grad()
    def video_features(self, frames, pooling):
        """float32 [tokens, text width] of one video's pooled frames."""
        pixels = self._video_inputs(frames)["pixel_values_videos"]
        original = self._original_features(pooling, pixels)
        if not self._set_pooling(pooling):
            return original.numpy()
        features = self.model.get_video_features(
            pixel_values_videos=pixels,
            vision_feature_layer=self.model.config.vision_feature_layer,
            vision_feature_select_strategy="default",
        ).pooler_output[0].flatten(0, 1)
        assert torch.allclose(features, original, atol=1e-5)
        return features.numpy()

    @torch.no_grad()
    def video_caption(self, frames, pooling, question, tokens):
        """As `caption`, of one video's pooled frames."""
        inputs = self._video_inputs(frames)
        if not self._set_pooling(pooling):
            features = self._original_features(pooling, inputs["pixel_values_videos"])
            inputs = {"mm_encoder_outputs": {"video": BaseModelOutputWithPooling(pooler_output=[features[None]])}}
        return self._answer(inputs, vocabulary.VIDEO, question, tokens)

    @torch.no_grad()
    def caption(self, pictures, question, tokens):
        """As `_answer`, of pictures that are `tokens` tokens."""
        return self._answer(self._inputs(pictures), vocabulary.IMAGE, question, tokens)

    def _answer(self, inputs, mark, question, tokens):
        """mark: the token that stands for each of the `tokens` features.

        Returns (prompt's text tokens, first logits [vocabulary], ids, margins). A margin is the difference of the two
        highest logits at a step. The stop token is not among the ids, but its step has a margin.
        """
        spec = self.spec
        before, after = vocabulary.prompt(spec.template, question, spec.add_bos, spec.space_prefix)
        ids = torch.tensor([before + [mark] * tokens + after])
        out = self.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            **inputs,
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
