"""Whole frames of the world at their own size, damaged as files damage them.

The damage is done by JPEG in `jpeg`, and by real video codecs in `clip`.

The way from a frame to tiles is the product's: Pillow's bicubic resampling of the decoded picture.
"""

import subprocess

import cv2
import numpy as np
from PIL import Image

import preprocess
import world

CODECS = {
    "h264.mp4": ["-c:v", "libx264", "-preset", "veryfast"],
    "vp9.webm": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"],
    "hevc.mkv": [
        "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=none:frame-threads=1",
    ],
    "mpeg4.avi": ["-c:v", "mpeg4", "-q:v", "5"],
    "h264.mov": ["-c:v", "libx264", "-preset", "ultrafast"],
}
SUB = 4  # samples a pixel, in each direction, with which edges are drawn
_noise = np.random.default_rng(7).standard_normal((1700, 1700)).astype(np.float32)


def outline(shape, x, y, r, arm):
    """Corner points of a shape (not of the circle), pixels."""
    a = arm * r
    unit = {
        1: [(-r, -r), (r, -r), (r, r), (-r, r)],
        2: [(0, -r), (r, r), (-r, r)],
        3: [(-a, -r), (a, -r), (a, -a), (r, -a), (r, a), (a, a), (a, r), (-a, r), (-a, a), (-r, a), (-r, -a), (-a, -a)],
    }[shape]
    return np.array(unit) + (x, y)


def picture(clips, i, t, rng):
    """Clip i at time t: uint8 RGB [height, width, 3]."""
    c = {k: v[i] for k, v in clips.items()}
    w, h, short = int(c["width"]), int(c["height"]), min(c["width"], c["height"])
    at = {k: v[i : i + 1] for k, v in clips.items()}
    x, y, r = (float(v[0]) * short for v in world.state(at, np.array([t])))
    ramp_x = (np.arange(w) / w - 0.5)[None] * 2 * c["gradient_x"]
    ramp_y = (np.arange(h) / h - 0.5)[:, None] * 2 * c["gradient_y"]
    ramp = (ramp_x + ramp_y).astype(np.float32)[..., None]
    image = (1 + ramp) * c["background_rgb"].astype(np.float32)
    # The shape's part of the frame is drawn with SUB x SUB samples a pixel, and averaged.
    left, top = max(int(x - r) - 2, 0), max(int(y - r) - 2, 0)
    right, bottom = min(int(x + r) + 3, w), min(int(y + r) + 3, h)
    if right > left and bottom > top:
        fine = np.zeros(((bottom - top) * SUB, (right - left) * SUB), np.uint8)
        fixed = 1 << 4
        place = lambda p: np.round(((np.array(p) - (left, top)) * SUB - 0.5) * fixed).astype(int)
        if c["shape"] == 0:
            centre = place((x, y))
            cv2.circle(fine, (int(centre[0]), int(centre[1])), int(round(r * SUB * fixed)), 255, -1, cv2.LINE_8, 4)
        else:
            points = place(outline(int(c["shape"]), x, y, r, c["arm"]))
            cv2.fillPoly(fine, [points.astype(np.int32)], 255, cv2.LINE_8, 4)
        cover = cv2.resize(fine, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        cover = cover[..., None] / np.float32(255)
        if rng.uniform() < 0.15:  # some pictures have hard edges, without antialiasing
            cover = np.round(cover)
        part = image[top:bottom, left:right]
        colour = (1 + ramp[top:bottom, left:right] * c["gradient_on_shape"]) * c["foreground_rgb"].astype(np.float32)
        part += cover * (colour - part)
    if c["noise"] > 0:
        if rng.uniform() < 0.5:
            a, b = rng.integers(0, 1700 - h), rng.integers(0, 1700 - w)
            image += _noise[a : a + h, b : b + w, None] * np.float32(c["noise"])
        else:
            n = w * h * 3
            a = rng.integers(0, _noise.size - n) if n < _noise.size else 0
            noise = _noise.reshape(-1)[a : a + n] if n < _noise.size else np.resize(_noise, n)
            image += noise.reshape(h, w, 3) * np.float32(c["noise"])
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)


def jpeg(image, rng):
    """The image after JPEG at random quality, mostly 4:2:0; 8 % of the images stay as they are."""
    if rng.uniform() < 0.08:
        return image
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if rng.uniform() < 0.8 else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    how = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 96)), cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    _, data = cv2.imencode(".jpg", image[..., ::-1], how)
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def clip(clips, i, path, codec, rng, fps=20):
    """Writes clip i as a video file; odd sizes are cut to even ones, as 4:2:0 wants."""
    w, h = clips["width"][i] // 2 * 2, clips["height"][i] // 2 * 2
    n = int(clips["length"][i])
    crf = [] if "mpeg4" in codec else ["-crf", str(rng.integers(20, 33))]
    rate = ["-b:v", "0"] if "vp9" in codec else []
    command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{w}x{h}", "-r", str(fps)]
    command += ["-i", "-", *CODECS[codec], *crf, *rate, "-pix_fmt", "yuv420p", "-threads", "1", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        for k in range(n):
            process.stdin.write(picture(clips, i, k / (n - 1), rng)[:h, :w].tobytes())
        process.stdin.close()
    if process.returncode:
        raise RuntimeError(f"ffmpeg could not write {path}")
    return w, h


def read(path, w, h, indices):
    """Frames of a file by index, as PIL pictures."""
    choose = "+".join(f"eq(n\\,{k})" for k in indices)
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-vf", f"select={choose}", "-vsync", "0"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-threads", "1", "-"]
    data = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    return [Image.fromarray(f) for f in np.frombuffer(data, np.uint8).reshape(-1, h, w, 3)]


def tiles(image, anyres=True):
    """PIL picture or uint8 array -> uint8 tiles [n, 112, 112, 3] and geometry."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(np.ascontiguousarray(image))
    found = preprocess.tiles(image)
    return (found, preprocess.geometry(*image.size)) if anyres else (found[:1], None)
