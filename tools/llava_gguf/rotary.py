"""The order of rows in query and key matrices, which differs between the two ways to write rotary embedding."""


def interleave(weight, heads, back=False):
    """Rows of a matrix [heads · size, in] from halves (Hugging Face) to neighbours (ggml), or back.

    Within a head, Hugging Face rotates rows i and i + size / 2 as a pair, ggml's llama rows 2i and 2i + 1.
    """
    rows, columns = weight.shape
    order = (heads, rows // heads // 2, 2, columns) if back else (heads, 2, rows // heads // 2, columns)
    return weight.reshape(order).swapaxes(1, 2).reshape(rows, columns)
