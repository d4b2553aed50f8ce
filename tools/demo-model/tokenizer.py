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
from shared import pieces

UNKNOWN, BOS, STOP, SPACE = pieces.UNKNOWN, pieces.BOS, pieces.STOP, pieces.SPACE
SIZE = 640


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
    split = {w: list(w) for w in words if w != "\n"}
    merged = []
    while len(merged) < pieces.room(size):
        pairs = Counter()
        for w, parts in split.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[w]
        if not pairs:
            break
        (a, b), _ = min(pairs.items(), key=lambda kv: (-kv[1], kv[0]))
        if a + b not in merged:
            merged.append(a + b)
        for w, parts in split.items():
            split[w] = join(parts, a + b)
    return pieces.tokens(merged, size)


def join(parts, token):
    """Merges neighbours whose union is `token`, from the left."""
    out = []
    for piece in parts:
        if out and out[-1] + piece == token:
            out[-1] = token
        else:
            out.append(piece)
    return out


def scores(tokens):
    """SentencePiece's scores; that of `<image>`, the last id, is 0, since no merge makes that token."""
    return [*pieces.scores(len(tokens) - 1), 0.0]


class Tokenizer:
    def __init__(self):
        self.tokens = learn()
        ids = {t: i for i, t in enumerate(self.tokens)}
        merges = []
        for token in self.tokens[pieces.FIRST : -1]:
            if not token.startswith(pieces.UNUSED):
                splits = [(token[:i], token[i:]) for i in range(1, len(token))]
                merges += [(left, right) for left, right in splits if left in ids and right in ids]
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
            [tokenizers.AddedToken(t, special=True, normalized=False) for t in [*pieces.CONTROL, pieces.IMAGE]]
        )

    def encode(self, text):
        return self.hf.encode(text, add_special_tokens=False).ids

    def decode(self, ids):
        return self.hf.decode([int(i) for i in ids], skip_special_tokens=True)


def spm_encode(tokens, text):
    """llama.cpp's SentencePiece merging, to check `Tokenizer` against. No special tokens."""
    return pieces.merge(text, {token: i for i, token in enumerate(tokens)}, scores(tokens))
