"""A small SentencePiece vocabulary with ChatML's marks: tokens, scores and types, and the merging of text into ids.

Ids run: controls, the 256 bytes, single characters, merged pieces by rank, filler, `<image>`.
"""

NORMAL, UNKNOWN_TYPE, CONTROL_TYPE, USER_DEFINED, UNUSED_TYPE, BYTE = range(1, 7)  # GGUF's token types
CONTROL = ["<unk>", "<s>", "</s>", "<reserved_3>", "<reserved_4>", "<reserved_5>", "<|im_start|>", "<|im_end|>"]
UNKNOWN, BOS, STOP = 0, 1, 7
IMAGE = "<image>"  # the last id
SPACE = "\u2581"  # stands for the space inside tokens
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
CHARACTERS = [SPACE, *map(chr, range(33, 127))]
FIRST = len(CONTROL) + len(BYTES)  # id of the first text token
UNUSED = "<unused_"


def room(size):
    """The number of merged pieces that a vocabulary of `size` tokens has room for."""
    return size - FIRST - len(CHARACTERS) - 1


def tokens(merged, size):
    """All `size` tokens in the order of their ids. `merged`: pieces of two characters and more, by rank."""
    filler = [f"{UNUSED}{i}>" for i in range(room(size) - len(merged))]
    return CONTROL + BYTES + CHARACTERS + merged + filler + [IMAGE]


def scores(count):
    """SentencePiece's scores of the first `count` ids: 0 for controls and bytes, else minus the rank."""
    return [0.0 if i < FIRST else float(FIRST - i) for i in range(count)]


def types(tokens, marks):
    """Every token's type. `marks`: the type of <|im_start|> and <|im_end|>; converters of Yi's models write NORMAL."""
    controls = [marks if token.startswith("<|im_") else CONTROL_TYPE for token in CONTROL[1:]]
    text = [UNUSED_TYPE if token.startswith(UNUSED) else NORMAL for token in tokens[FIRST:-1]]
    return [UNKNOWN_TYPE, *controls] + [BYTE] * len(BYTES) + text + [CONTROL_TYPE]


def merge(text, ids, scores):
    """Text without control tokens -> ids, by SentencePiece's merging as llama.cpp runs it.

    The two neighbours whose union has the highest score, the leftmost of equals, are merged until no union is a token.
    A part that is then no token becomes its UTF-8 bytes. ids: token -> id; scores: one for each id.
    """
    parts = list(text.replace(" ", SPACE))
    while True:
        pairs = [(-scores[ids[a + b]], i) for i, (a, b) in enumerate(zip(parts, parts[1:])) if a + b in ids]
        if not pairs:
            break
        _, i = min(pairs)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    out = []
    for part in parts:
        out += [ids[part]] if part in ids else [ids[BYTES[byte]] for byte in part.encode()]
    return out
