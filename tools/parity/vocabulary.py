"""The models' vocabulary, text with control tokens to ids as llama.cpp does it, and the chat templates' pieces.

Source of the templates: haotian-liu/LLaVA@c121f04, conversation.py; each piece around the images is
tokenised separately, and only the first begins with a BOS (tokenizer_image_token).
"""

from shared import pieces

UNKNOWN, BOS, STOP = pieces.UNKNOWN, pieces.BOS, pieces.STOP
SIZE = 384
IMAGE = SIZE - 1
VIDEO = SIZE - 2  # of a LLaVA-NeXT-Video alone
MERGED = "in er an th he at on st re ing the er_ _a _t _s _w _th _the us ser sw wer".replace("_", pieces.SPACE).split()
ASSISTANT = (
    " and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the "
)
TEMPLATES = {
    "chatml_direct": (
        "<|im_start|>system\nAnswer the questions.<|im_end|><|im_start|>user\n",
        "\n{}<|im_end|><|im_start|>assistant\n",
    ),
    "mistral_instruct": ("[INST] ", "\n{} [/INST]"),
    "vicuna_v1": (f"A chat between a curious user{ASSISTANT}user's questions. USER: ", "\n{} ASSISTANT:"),
    "llava_v1": (f"A chat between a curious human{ASSISTANT}human's questions. USER: ", "\n{} ASSISTANT:"),
}
WORDS = (
    "What is seen here there on the water? the answer is in a that strange house; "
    "swim past us, user 7 (two)\n é✓"
).split(" ")
TOKENS = pieces.tokens(MERGED, SIZE)
IDS = {token: i for i, token in enumerate(TOKENS)}
SCORES = pieces.scores(SIZE)


def encode(text, space_prefix):
    """Text with control tokens -> ids. `space_prefix`: a space before the text and after every control token."""
    ids = []
    while text:
        found = [(text.find(token), i) for i, token in enumerate(pieces.CONTROL) if token in text]
        start, token = min(found, default=(len(text), None))
        if start:
            ids += pieces.merge((" " if space_prefix else "") + text[:start], IDS, SCORES)
        if token is not None:
            ids.append(token)
        text = text[start + len(pieces.CONTROL[token]) :] if token is not None else ""
    return ids


def prompt(template, question, add_bos, space_prefix):
    """Token ids of the prompt's text before the images, and of that after them."""
    before, after = TEMPLATES[template]
    return [BOS] * add_bos + encode(before, space_prefix), encode(after.format(question), space_prefix)


def question(draw):
    """A random question, from words that need merges, byte tokens and punctuation. draw: random.Random."""
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(3, 9)))
