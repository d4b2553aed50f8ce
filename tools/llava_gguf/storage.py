"""Types of stored weights: encoding for the file, and the numbers as the encoding rounds them."""

import gguf
import numpy as np


def store(array, kind):
    """float32 array, F32 | F16 | Q8_0 -> (what the file holds, its GGML type or None, the same as float32)."""
    array = np.ascontiguousarray(array, np.float32)
    if kind == "F32":
        return array, None, array
    if kind == "F16":
        half = array.astype(np.float16)
        return half, None, half.astype(np.float32)
    quantised = gguf.GGMLQuantizationType[kind]
    data = gguf.quants.quantize(array, quantised)
    return data, quantised, gguf.quants.dequantize(data, quantised)
