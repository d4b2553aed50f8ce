"""Converts weights: Hugging Face's arrays to the tensors of a GGUF file, and a file's tensors back to arrays."""

import typing

import gguf
import numpy as np

from .rotary import interleave
from .storage import store


class Stored(typing.NamedTuple):
    """One tensor of a file, and the weight as the file rounds it, float32 in Hugging Face's layout."""

    data: np.ndarray
    ggml_type: gguf.GGMLQuantizationType | None  # None: the array's own type
    values: np.ndarray


def _heads(name, heads):
    """Heads whose rows are reordered in the tensor of GGUF's `name`, or None: the rows stay."""
    return heads.get(name.split(".")[-2])


def encode(state, names, kinds, heads):
    """GGUF name -> Stored, for every weight in `names` (Hugging Face's name -> GGUF's).

    state: Hugging Face's name -> float32 array. kinds: number of dimensions -> F32 | F16 | Q8_0, F32 where absent.
    heads: {"attn_q": heads, "attn_k": key heads} for the language model, {} for the tower, which has no rotary
    embedding.
    """
    out = {}
    for theirs, ours in names.items():
        weight, count = state[theirs], _heads(ours, heads)
        data, ggml_type, values = store(interleave(weight, count) if count else weight, kinds.get(weight.ndim, "F32"))
        out[ours] = Stored(data, ggml_type, interleave(values, count, back=True) if count else values)
    return out


def read(path, names, heads):
    """Hugging Face's name -> float32 array, from a file of F32 and F16 tensors. Arguments as for `encode`."""
    arrays = {}
    for tensor in gguf.GGUFReader(path).tensors:
        shape = tuple(int(n) for n in tensor.shape[::-1])  # GGUF counts dimensions from the innermost
        arrays[tensor.name] = tensor.data.reshape(shape).astype(np.float32)
    counts = {theirs: _heads(ours, heads) for theirs, ours in names.items()}
    return {
        theirs: interleave(arrays[ours], counts[theirs], back=True) if counts[theirs] else arrays[ours]
        for theirs, ours in names.items()
    }
