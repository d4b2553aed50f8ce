"""Where an image's pixels and patches go: Hugging Face's own functions, with the original repository's two choices.

1. Ties between grids: the pinpoints are handed to Hugging Face with their sides exchanged (see `model.build`).
2. Unpadding: the original cuts the fraction off, int(x); Hugging Face rounds to 7 digits first. Where the results
   differ (a few sizes in a million), the original's counts.
"""

import numpy as np
import torch
from transformers.image_processing_utils import get_patch_output_size, select_best_resolution
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.llava_next.modeling_llava_next import unpad_image

FIELDS = [
    "cols", "rows", "resizedWidth", "resizedHeight", "padLeft", "padTop", "keptCols", "keptRows", "tiles", "tokens",
]


def original_unpad(cols, rows, width, height):
    """Patch columns and rows of a grid that the original repository keeps (llava_arch.py, unpad_image)."""
    if width / height > cols / rows:
        cut = (rows - int(height * (cols / width))) // 2
        return cols, rows - 2 * cut
    cut = (cols - int(width * (rows / height))) // 2
    return cols - 2 * cut, rows


def hf_unpad(cols, rows, width, height):
    """Patch columns and rows of a grid that Hugging Face's function keeps."""
    grid = torch.empty(1).expand(1, rows, cols)
    _, kept_rows, kept_cols = unpad_image(grid, (height, width)).shape
    return kept_cols, kept_rows


_processor = LlavaNextImageProcessorPil()


def layout(spec, width, height):
    """FIELDS of one image with merging spatial_unpad."""
    grids = [(h, w) for w, h in spec.pinpoints]
    canvas_height, canvas_width = best = select_best_resolution((height, width), grids)
    image = np.broadcast_to(np.uint8(0), (3, height, width))
    resized_height, resized_width = get_patch_output_size(image, best, input_data_format="channels_first")
    (top, _), (left, _) = _processor._get_padding_size((resized_height, resized_width), best)
    cols, rows = canvas_width // spec.image, canvas_height // spec.image
    kept_cols, kept_rows = original_unpad(cols * spec.side, rows * spec.side, width, height)
    tokens = spec.side**2 + kept_rows * (kept_cols + 1)
    return [cols, rows, resized_width, resized_height, left, top, kept_cols, kept_rows, 1 + cols * rows, tokens]


def rounds_otherwise(spec, width, height):
    """Whether Hugging Face keeps another number of patches than the original."""
    cols, rows = (n * spec.side for n in layout(spec, width, height)[:2])
    return hf_unpad(cols, rows, width, height) != original_unpad(cols, rows, width, height)
