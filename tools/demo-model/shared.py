"""Makes `llava_gguf` importable, which stands beside this folder."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))

from llava_gguf import keys, names, pieces, tensors, writer  # noqa: E402, F401
