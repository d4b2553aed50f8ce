"""The models of the harness: shapes, and the dialect in which each one's GGUF pair is written."""

import dataclasses

from shared import pieces

GRIDS = [(1, 2), (2, 1), (2, 2), (3, 1), (1, 3)]  # tiles (across, down), LLaVA-1.6's list


@dataclasses.dataclass(frozen=True)
class Pooling:
    """How a video's frames are pooled, in the words of LLaVA-NeXT's config.json and of `NativePooling`."""

    stride: int = 2
    mode: str = "average"  # average | max | bilinear
    place: str = "after"  # after | before the projector
    newline: str = "no_token"  # grid | frame | one_token | no_token


@dataclasses.dataclass(frozen=True)
class Spec:
    """One model. Widths are numbers of features, `image` and `patch` pixels."""

    name: str
    # The tower.
    image: int = 56
    patch: int = 14
    width: int = 32
    heads: int = 2
    ff: int = 96
    stored: int = 2  # blocks of the tower in the file
    runs: int = 2  # how many of them run before features are taken
    eps: float = 1e-5
    # The language model.
    text_width: int = 32
    text_heads: int = 4
    text_kv_heads: int = 2
    text_ff: int = 64
    text_blocks: int = 2
    theta: float = 5e6
    # Weights as stored: F32, F16 or Q8_0.
    vision_type: str = "F32"
    text_type: str = "F32"
    half_kernel: bool = False  # the patch kernel is F16, as the legacy converter always writes it
    # Dialect of the projector file.
    feature_layer: int | None = None
    swapped: bool = False  # the first FFN matrix is called ffn_down
    newline: str | None = "v.image_newline"
    projector_type: bool = True
    grids: bool = True  # whether the file lists pinpoints, as for LLaVA-1.6; LLaVA-1.5 has none
    merge: str | None = "spatial_unpad"
    aspect: str | None = "anyres"
    # Prompt.
    template: str = "chatml_direct"
    add_bos: bool = False
    space_prefix: bool = False
    marks: int = pieces.NORMAL  # token type of <|im_start|> and <|im_end|>
    # Of a LLaVA-NeXT-Video: what its metadata say of a video's frames.
    pooling: Pooling | None = None
    # How many images and questions the model gets.
    images: str = "all"  # all | few
    fixture: bool = False

    @property
    def side(self):
        """Patches along one side of a tile."""
        return self.image // self.patch

    @property
    def pinpoints(self):
        """Grids in pixels, (width, height)."""
        return [(w * self.image, h * self.image) for w, h in GRIDS] if self.grids else []

    @property
    def precision(self):
        """The roughest type among the weights that take part in matrix products."""
        types = {self.vision_type, self.text_type}
        return next(t for t in ("Q8_0", "F16", "F32") if t in types)


OLD = dict(swapped=True, newline="model.image_newline", projector_type=False)
LLAVA15 = dict(grids=False, merge=None, newline=None, aspect=None)

SPECS = [
    Spec("plain", fixture=True),
    Spec("legacy", **OLD, heads=1, text_heads=2, half_kernel=True, marks=pieces.CONTROL_TYPE, fixture=True),
    Spec("wide", width=128, heads=2, ff=512, text_width=256, text_heads=4, text_kv_heads=2, text_ff=512, theta=1e4),
    Spec("square-ffn", ff=32, swapped=True, heads=4, text_kv_heads=4, theta=1e4),
    Spec("tile-112", image=112, heads=4, newline="model.image_newline", text_kv_heads=1),
    Spec("tile-336", image=336, heads=1, stored=1, runs=1, text_heads=2, text_kv_heads=1, text_blocks=1, images="few"),
    Spec("feature-layer", stored=3, feature_layer=2, swapped=True, marks=pieces.UNKNOWN_TYPE, fixture=True),
    Spec("feature-layer-all", stored=3, runs=3, feature_layer=3, heads=1),
    Spec("feature-layer-negative", stored=4, runs=3, feature_layer=-2, heads=4),
    Spec("blocks-23", width=64, ff=128, stored=23, runs=23, **OLD),
    Spec("blocks-24", width=16, heads=1, ff=32, stored=24, runs=23, half_kernel=True, text_blocks=1,
         marks=pieces.USER_DEFINED, fixture=True),
    Spec("no-type", projector_type=False, add_bos=True, space_prefix=True, template="mistral_instruct"),
    Spec("merge-flat", merge=None, newline=None, images="few"),
    Spec("merge-spatial", merge="spatial", images="few"),
    Spec("llava15-pad", **LLAVA15, add_bos=True, space_prefix=True, template="vicuna_v1", fixture=True),
    Spec("llava15-crop", **LLAVA15 | dict(aspect="square"), **dict(swapped=True, projector_type=False),
         template="llava_v1", add_bos=True, space_prefix=True),
    Spec("llava15-112", **LLAVA15 | dict(aspect="pad"), image=112, heads=4, half_kernel=True),
    # Seven patches a side: every stride leaves some over.
    Spec("video", pooling=Pooling(), image=98, heads=4, text_heads=2, fixture=True),
    Spec("video-56", pooling=Pooling(4, "max", "before"), text_kv_heads=4, theta=1e4),
    Spec("video-wide", pooling=Pooling(3, "bilinear", newline="grid"), image=140, width=64, ff=256, text_width=128,
         text_ff=256, template="vicuna_v1", add_bos=True, space_prefix=True, **OLD),
    Spec("video-336", pooling=Pooling(newline="one_token"), image=336, heads=1, stored=1, runs=1, text_heads=2,
         text_kv_heads=1, text_blocks=1, images="few"),
    Spec("f16", vision_type="F16", text_type="F16", half_kernel=True, fixture=True),
    Spec("f16-wide", vision_type="F16", text_type="F16", half_kernel=True, width=128, ff=512, text_width=256,
         text_ff=512, **OLD),
    Spec("f16-tower-q8-text", vision_type="F16", text_type="Q8_0", half_kernel=True, width=64, ff=256, text_width=128,
         text_ff=256),
    Spec("q8-narrow", vision_type="Q8_0", text_type="Q8_0", half_kernel=True, text_blocks=1, images="few",
         fixture=True),
    Spec("q8", vision_type="Q8_0", text_type="Q8_0", half_kernel=True, width=64, ff=256, text_width=128,
         text_ff=256, swapped=True),
]


def image_sizes(spec, draw):
    """(kind, width, height) of the images of a model. draw: random.Random."""
    t = spec.image
    sizes = [
        ("16:9", 16 * t * 2 // 9 + 1, t * 2),
        ("odd", 2 * t - 15, 2 * t + 19),
        ("inside one tile", t * 7 // 10, t // 2),
        ("9:16", t * 2, 16 * t * 2 // 9 + 1),
        ("4096x64", 4096, 64),
        ("exact multiple", 3 * t, t),
        ("one tile", t, t),
        ("exact grid", 2 * t, 2 * t),
        ("sliver upright", 1, 5 * t // 2),
        ("sliver flat", 3 * t + 1, 1),
        ("random", draw.randint(t, 6 * t), draw.randint(t, 6 * t)),
        ("random small", draw.randint(1, t), draw.randint(1, t)),
    ]
    if spec.images == "few":
        large = [("Open-Sora's 597x336", 597, 336), ("16:9", 1280, 720), ("inside one tile", 320, 240)]
        return sizes[:3] if spec.image < 336 else large
    return sizes


def prompts(spec):
    """Lists of image indices: 1, 2 and 3 images in one prompt."""
    if spec.image >= 336:
        return [[1], [0, 2], [0, 0, 2]]
    return [[0], [1], [1, 2], [2, 0, 1]] + ([[4, 3], [5, 6, 8]] if spec.images == "all" else [])


def videos(spec, draw, fixture):
    """(frames, width, height, Pooling) of the videos of a model. draw: random.Random."""
    native = [Pooling(stride, mode, "before") for stride in (2, 3, 4) for mode in ("average", "max")]
    others = [
        Pooling(stride, mode, place, newline)
        for stride in (2, 3, 4)
        for mode in ("average", "max", "bilinear")
        for place in ("after", "before")
        for newline in ("grid", "frame", "one_token", "no_token")
    ]
    t = spec.image
    if fixture or spec.images == "few":
        chosen = [
            (8, 16 * t // 9, t, Pooling(2, "average", "before")),
            (2, t // 2, t // 3, Pooling(3, "max", "before")),
            (1, t, 2 * t + 3, Pooling(4, "average", "before")),
            (3, 2 * t + 1, t + 7, Pooling(2, "average", "after", "one_token")),
            (2, t + 9, t - 9, Pooling(3, "bilinear", "after", "grid")),
            (3, t - 1, 3 * t, Pooling(2, "max", "after", "frame")),
            (32, 60, 44, Pooling(4, "average", "after")),
        ]
        return chosen if spec.image < 336 else [(n, 640, 360, pooling) for n, _, _, pooling in chosen[:6]]
    chosen = native + draw.sample(others, 18)
    sizes = [(draw.randint(t // 2, 3 * t), draw.randint(t // 2, 3 * t)) for _ in chosen]
    counts = [1, 2, 3, 4, 8, 16, 32]
    return [(counts[i % len(counts)], *size, pooling) for i, (size, pooling) in enumerate(zip(sizes, chosen))]
