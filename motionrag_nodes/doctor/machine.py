"""The machine: whether it computes right, decodes videos, has an accelerator and room on its disks. All tried out."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from index_builder.clips.decode import DECODERS, decode_clip
from index_builder.errors import MotionRAGError
from motionrag_nodes.doctor.findings import Finding, ok, problem, warning

TOPIC = "machine"
LOW_DISK_BYTES, NO_DISK_BYTES = 5 << 30, 500 << 20
# bfloat16 keeps 8 bits, so its results differ by about 0.003; a kernel that reads the wrong pixels, by about 1.
MAX_RELATIVE_ERROR = 0.05
Convolve = Callable[..., torch.Tensor]


def examine_machine(folders: Iterable[Path]) -> Iterator[Finding]:
    """Arithmetic, decoders, accelerator, and the disks of `folders`."""
    yield examine_convolution()
    yield from examine_decoders()
    yield examine_accelerator()
    yield from examine_disks(folders)


def examine_convolution(convolve: Convolve = F.conv3d) -> Finding:
    """VideoMAE's patch embedding in bfloat16 on the processor, against float32.

    torch 2.14 was seen to read only 3 of a patch's 16 columns on some processors, which makes motion features noise.
    """
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(1, 3, 4, 64, 64, generator=generator)
    weights = torch.randn(16, 3, 2, 16, 16, generator=generator) / 40
    exact = convolve(pixels, weights, stride=(2, 16, 16))
    coarse = convolve(pixels.bfloat16(), weights.bfloat16(), stride=(2, 16, 16)).float()
    error = float((exact - coarse).norm() / exact.norm())
    if error > MAX_RELATIVE_ERROR:
        return warning(
            TOPIC,
            "bfloat16 on the processor",
            f"torch {torch.__version__} computes 3-D convolutions wrongly (off by {error:.0%})",
            "stay with float32 on the processor, which is MotionRAG's own choice, or install another torch",
        )
    return ok(TOPIC, "bfloat16 on the processor", f"3-D convolutions are right (off by {error:.2%})")


def examine_decoders(decoders: tuple[str, ...] = DECODERS) -> Iterator[Finding]:
    """Writes a tiny clip and reads it with each decoder."""
    with tempfile.TemporaryDirectory(prefix="motionrag-doctor-") as scratch:
        clip = Path(scratch) / "clip.mp4"
        write_moving_square(clip)
        failures = {decoder: _why_not(clip, decoder) for decoder in decoders}
    for decoder, why in failures.items():
        if why is None:
            yield ok(TOPIC, f"video decoder {decoder}", "decodes a clip")
        elif all(failures.values()):
            yield problem(TOPIC, f"video decoder {decoder}", why, "pip install --force-reinstall av decord")
        else:
            others = ", ".join(each for each, reason in failures.items() if reason is None)
            yield warning(
                TOPIC,
                f"video decoder {decoder}",
                f"{why}; {others} serves instead",
                f"pip install --force-reinstall {decoder}",
            )


def examine_accelerator() -> Finding:
    """What videos will be made on."""
    if torch.cuda.is_available():
        name, memory = torch.cuda.get_device_name(0), torch.cuda.get_device_properties(0).total_memory
        return ok(TOPIC, "accelerator", f"{name}, {memory / (1 << 30):.0f} GiB")
    if torch.backends.mps.is_available():
        return ok(TOPIC, "accelerator", "Apple's GPU (mps)")
    threads = torch.get_num_threads()
    return warning(
        TOPIC,
        "accelerator",
        f"none: torch {torch.__version__} uses the processor, {threads} threads",
        "fine for the tiny pack; for Stable Video Diffusion install a torch build for your GPU (pytorch.org)",
    )


def examine_disks(folders: Iterable[Path]) -> Iterator[Finding]:
    """Free space where things are written, once for each disk."""
    seen = set()
    for folder in folders:
        there = next((path for path in (folder, *folder.parents) if path.exists()), None)
        if there is None or there.stat().st_dev in seen:
            continue
        seen.add(there.stat().st_dev)
        free = shutil.disk_usage(there).free
        message = f"{free / (1 << 30):.1f} GiB free"
        remedy = "make room: databases and videos are written there"
        level = problem if free < NO_DISK_BYTES else warning
        yield (
            level(TOPIC, f"disk of {there}", message, remedy)
            if free < LOW_DISK_BYTES
            else ok(TOPIC, f"disk of {there}", message)
        )


def write_moving_square(path: Path, *, frames: int = 8, side: int = 64) -> None:
    """A white square that moves to the right over black, one second long."""
    import av

    with av.open(str(path), "w") as container:
        # Every build of FFmpeg writes MPEG-4 part 2, not every one H.264.
        stream = container.add_stream("mpeg4", rate=frames)
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        for index in range(frames):
            picture = np.zeros((side, side, 3), np.uint8)
            left = index * side // (2 * frames)
            picture[side // 4 : side // 2, left : left + side // 3] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def _why_not(clip: Path, decoder: str) -> str | None:
    """None when the decoder gives frames in which the square moves to the right."""
    try:
        frames = decode_clip(clip, frames=4, short_side=64, decoders=(decoder,)).frames
    except MotionRAGError as error:
        return f"cannot decode a clip ({error})"
    # Where the brightness of each frame has its middle, in pixels from the left.
    columns = frames.mean(axis=(1, 3))
    centres = (columns * np.arange(columns.shape[1])).sum(axis=1) / columns.sum(axis=1)
    return None if (np.diff(centres) > 1).all() else "decodes a clip to wrong frames"
