"""A tiny sentencepiece vocabulary, its tokenizer as llama.cpp runs it, and the chat templates' pieces.

Source of the templates: haotian-liu/LLaVA@c121f04, conversation.py; each piece around the images is tokenised for
itself, a BOS stands on the first only (tokenizer_image_token).
"""

SPACE = "\u2581"
CONTROL = ["<unk>", "<s>", "</s>", "<reserved_3>", "<reserved_4>", "<reserved_5>", "<|im_start|>", "<|im_end|>"]
UNKNOWN, BOS, STOP = 0, 1, 7
SIZE = 384
IMAGE = SIZE - 1
MERGED = "in er an th he at on st re ing the er_ _a _t _s _w _th _the us ser sw wer".replace("_", SPACE).split()
ASSISTANT = " and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the "
TEMPLATES = {
    "chatml_direct": (
        "<|im_start|>system\nAnswer the questions.<|im_end|><|im_start|>user\n",
        "\n{}<|im_end|><|im_start|>assistant\n",
    ),
    "mistral_instruct": ("[INST] ", "\n{} [/INST]"),
    "vicuna_v1": (f"A chat between a curious user{ASSISTANT}user's questions. USER: ", "\n{} ASSISTANT:"),
    "llava_v1": (f"A chat between a curious human{ASSISTANT}human's questions. USER: ", "\n{} ASSISTANT:"),
}
WORDS = "What is seen here there on the water? the answer is in a that strange house; swim past us, user 7 (two)\n é✓".split(" ")


def _pieces():
    characters = [SPACE, *map(chr, range(33, 127))]
    known = CONTROL + [f"<0x{byte:02X}>" for byte in range(256)] + characters + MERGED
    return known + [f"<unused_{i}>" for i in range(SIZE - 1 - len(known))] + ["<image>"]


TOKENS = _pieces()
IDS = {token: i for i, token in enumerate(TOKENS)}
# Sentencepiece's scores: the earlier merge wins.
SCORES = [0.0 if i < len(CONTROL) + 256 else float(len(CONTROL) + 256 - i) for i in range(SIZE)]
# GGUF's token types: 1 normal, 2 unknown, 3 control, 5 unused, 6 byte.
TYPES = [2] + [3] * 7 + [6] * 256 + [5 if t.startswith("<unused") else 1 for t in TOKENS[264:-1]] + [3]


def _merge(text):
    """Sentencepiece's bigram merging: the neighbours whose union scores highest first, leftmost of equals."""
    parts = list(text.replace(" ", SPACE))
    while True:
        pairs = [(-SCORES[IDS[a + b]], i) for i, (a, b) in enumerate(zip(parts, parts[1:])) if a + b in IDS]
        if not pairs:
            break
        _, i = min(pairs)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    ids = []
    for part in parts:
        ids += [IDS[part]] if part in IDS else [IDS[f"<0x{byte:02X}>"] for byte in part.encode()]
    return ids


def encode(text, space_prefix):
    """Text with control tokens -> ids. `space_prefix`: a space before the text and after every control token."""
    ids = []
    while text:
        found = [(text.find(token), i) for i, token in enumerate(CONTROL) if token in text]
        start, token = min(found, default=(len(text), None))
        if start:
            ids += _merge((" " if space_prefix else "") + text[:start])
        if token is not None:
            ids.append(token)
        text = text[start + len(CONTROL[token]) :] if token is not None else ""
    return ids


def prompt(template, question, add_bos, space_prefix):
    """Ids before and after the images."""
    before, after = TEMPLATES[template]
    return [BOS] * add_bos + encode(before, space_prefix), encode(after.format(question), space_prefix)


def question(draw):
    """A random question of words that reach merges, byte tokens and punctuation. draw: random.Random."""
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(3, 9)))
