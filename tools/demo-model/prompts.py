"""The questions that the model is asked. The two defaults are those of the product."""

SYSTEM = "<|im_start|>system\nAnswer the questions.<|im_end|><|im_start|>user\n"
ASSISTANT = "<|im_end|><|im_start|>assistant\n"
STOP = "<|im_end|>"
IMAGE = (
    "Describe this image in detail: its subjects, setting, colours, composition and style. "
    "Answer in at most five sentences."
)
VIDEO = (
    "These are frames of one video, in order. Describe the video in detail: its subjects, what they do, how they and "
    "the camera move, the setting, colours and style. Do not mention frames. Answer in at most six sentences."
)
SHORT = [
    "Describe this video.",
    "Describe this image.",
    "What happens here?",
    "What do you see?",
    "Describe the video in one sentence.",
    "Describe the picture briefly.",
    "Caption this.",
    "What is in the picture?",
    "Please write a caption for this clip.",
    "What is shown? Name the shape, its colour and the background.",
    "How does the object move?",
    "Describe the scene.",
    "Write one short sentence about the clip.",
    "Tell me what the video shows, and in which colours.",
]
WORDS = (
    "the a what which how where colour shape object video image frame clip moves still background describe please tell "
    "write show short long detail caption one two sentence about of in on with and or is are does do not this that it "
    "picture scene camera subject style setting light name list answer question words only very first last next up "
    "down left right large small fast slow see look at from to for by as an your my you we they now then here there?"
).split()


def parts(question, frames):
    """The pieces of text between the images; `frames` adjacent images have nothing between them."""
    return SYSTEM, "\n" + question + ASSISTANT


def question(rng, video):
    """A question to train on: 80 % the product's default, else a short one or random words."""
    kind = rng.uniform()
    if kind < 0.8:
        return VIDEO if video else IMAGE
    if kind < 0.9:
        return SHORT[rng.integers(len(SHORT))]
    return " ".join(WORDS[i] for i in rng.integers(0, len(WORDS), rng.integers(1, 41)))
