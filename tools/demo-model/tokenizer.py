"""A small real tokenizer: byte-fallback BPE with SentencePiece semantics, so that llama.cpp gives the same ids.

llama.cpp merges, again and again, the neighbouring pair whose union is the token of the highest score (leftmost of
equals). Scores here are minus the rank, and the `tokenizers` model gets a merge for every split of every token, in the
order of ranks, so both follow the same rule. Spaces become U+2581 and nothing is put before the text.
"""

import re
from collections import Counter

import tokenizers

import prompts
import world

CONTROL = ["<unk>", "<s>", "</s>", "<reserved_3>", "<reserved_4>", "<reserved_5>", "<|im_start|>", "<|im_end|>"]
IMAGE_TOKEN = "<image>"  # last id
UNKNOWN, BOS, STOP = 0, 1, 7
SIZE = 640
SPACE = "\u2581"


def corpus():
    """(text, weight) pairs: captions count most, so that their words become single tokens."""
    for colour in world.COLOURS:
        for shape in world.SHAPES:
            for background in world.BACKGROUNDS:
                for motion in [None, *world.MOTIONS]:
                    yield world.caption(shape, colour, background, motion), 4
    for text in (prompts.SYSTEM, prompts.ASSISTANT, prompts.IMAGE, prompts.VIDEO):
        yield re.sub(r"<\|.*?\|>", " ", text), 200
    for text in prompts.SHORT:
        yield text, 40
    for word in prompts.WORDS:
        yield " " + word, 20


def learn(size=SIZE):
    """Tokens in the order of their ids: controls, 256 bytes, characters, merges by rank, `<image>`."""
    words = Counter()
    for text, weight in corpus():
        for word in re.findall(SPACE + r"?[A-Za-z]+|" + SPACE + r"?[^A-Za-z\s]|\n", text.replace(" ", SPACE)):
            words[word] += weight
    characters = [SPACE] + [chr(c) for c in range(33, 127)]
    split = {w: list(w) for w in words if w != "\n"}
    room = size - len(CONTROL) - 256 - len(characters) - 1
    merged = []
    while len(merged) < room:
        pairs = Counter()
        for w, pieces in split.items():
            for pair in zip(pieces, pieces[1:]):
                pairs[pair] += words[w]
        if not pairs:
            break
        (a, b), _ = min(pairs.items(), key=lambda kv: (-kv[1], kv[0]))
        if a + b not in merged:
            merged.append(a + b)
        for w, pieces in split.items():
            split[w] = join(pieces, a + b)
    filler = [f"<unused_{i}>" for i in range(room - len(merged))]
    return CONTROL + [f"<0x{b:02X}>" for b in range(256)] + characters + merged + filler + [IMAGE_TOKEN]


def join(pieces, token):
    """Merges neighbours whose union is `token`, from the left."""
    out = []
    for piece in pieces:
        if out and out[-1] + piece == token:
            out[-1] = token
        else:
            out.append(piece)
    return out


def scores(tokens):
    """SentencePiece scores: minus the rank for text tokens, 0 for controls and bytes."""
    start = len(CONTROL) + 256
    return [0.0 if i < start or i == len(tokens) - 1 else float(start - i) for i in range(len(tokens))]


class Tokenizer:
    def __init__(self):
        self.tokens = learn()
        ids = {t: i for i, t in enumerate(self.tokens)}
        start = len(CONTROL) + 256
        merges = []
        for token in self.tokens[start:-1]:
            if not token.startswith("<unused"):
                merges += [(token[:i], token[i:]) for i in range(1, len(token)) if token[:i] in ids and token[i:] in ids]
        model = tokenizers.models.BPE(vocab=ids, merges=merges, byte_fallback=True, unk_token="<unk>", fuse_unk=False)
        self.hf = tokenizers.Tokenizer(model)
        self.hf.normalizer = tokenizers.normalizers.Replace(" ", SPACE)
        self.hf.decoder = tokenizers.decoders.Sequence(
            [
                tokenizers.decoders.Replace(SPACE, " "),
                tokenizers.decoders.ByteFallback(),
                tokenizers.decoders.Fuse(),
            ]
        )
        self.hf.add_special_tokens(
            [tokenizers.AddedToken(t, special=True, normalized=False) for t in CONTROL + [IMAGE_TOKEN]]
        )

    def encode(self, text):
        return self.hf.encode(text, add_special_tokens=False).ids

    def decode(self, ids):
        return self.hf.decode([int(i) for i in ids], skip_special_tokens=True)


def spm_encode(tokens, text):
    """llama.cpp's SentencePiece merging, written again independently, to check `Tokenizer` against. No special tokens."""
    ids, score = {t: i for i, t in enumerate(tokens)}, scores(tokens)
    pieces = list(text.replace(" ", SPACE))
    while True:
        best = None
        for i in range(len(pieces) - 1):
            found = ids.get(pieces[i] + pieces[i + 1])
            if found is not None and (best is None or score[found] > best[0]):
                best = (score[found], i)
        if best is None:
            break
        i = best[1]
        pieces[i : i + 2] = [pieces[i] + pieces[i + 1]]
    out = []
    for piece in pieces:
        out += [ids[piece]] if piece in ids else [ids[f"<0x{b:02X}>"] for b in piece.encode()]
    return out
