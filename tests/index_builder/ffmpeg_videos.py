"""Videos of every kind, made by the program ffmpeg, and what it shows of them: the reference for decoding."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg: apt install ffmpeg")
WIDTH, HEIGHT, FPS, SECONDS = 96, 64, 25, 4
PICTURES = f"testsrc2=s={WIDTH}x{HEIGHT}:r={FPS}:d={SECONDS}"
H264 = "-c:v libx264 -preset veryfast -g 25 -bf 3 -pix_fmt yuv420p"
H265 = "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=25:bframes=3"
MPEG2 = "-c:v mpeg2video -g 15 -bf 2 -q:v 2"

# Name -> the encoder's options.
PLAIN = {
    "h264.mp4": H264,
    "h264.mov": H264,
    "h264.mkv": H264,
    "h264.flv": H264,
    "h264.f4v": H264,
    "h264.avi": H264,
    "h264.ts": H264,
    "h264.m2ts": H264,
    "raw.h264": H264,
    "h265.mp4": H265,
    "h265.mkv": H265,
    "h265.ts": H265,
    "vp8.webm": "-c:v libvpx -deadline realtime -auto-alt-ref 1 -lag-in-frames 10",
    "vp9.webm": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8",
    "av1.mp4": "-c:v libaom-av1 -cpu-used 8 -usage realtime -g 25",
    "mpeg1.mpg": "-c:v mpeg1video -g 15 -bf 2 -q:v 2",
    "mpeg2.mpg": MPEG2,
    "mpeg2.vob": MPEG2,
    "mpeg2.ts": MPEG2,
    "mpeg2.mxf": MPEG2,
    "raw.m2v": MPEG2,
    "mpeg4.avi": "-c:v mpeg4 -g 25 -bf 2 -q:v 2",
    "mjpeg.avi": "-c:v mjpeg -q:v 2 -pix_fmt yuvj420p",
    "ffv1.avi": "-c:v ffv1",
    "wmv2.wmv": "-c:v wmv2 -q:v 2",
    "msmpeg4.asf": "-c:v msmpeg4 -q:v 2",
    "theora.ogv": "-c:v libtheora -q:v 10",
    "mpeg4.3gp": "-c:v mpeg4 -q:v 2",
    "dv.dv": "-s 720x576 -c:v dvvideo -pix_fmt yuv420p",
    "flash.flv": "-c:v flv1 -q:v 2",
    "prores.mov": "-c:v prores_ks",
    "alpha.qt": "-c:v qtrle -pix_fmt argb -f mov",
    "ten_bits.mkv": "-c:v libx264 -pix_fmt yuv420p10le -bf 3",
    "raw.y4m": "-pix_fmt yuv420p",
    "animated.gif": "",
}


def ffmpeg(*arguments: str | Path) -> str:
    """Runs the program; what it says."""
    command = ["ffmpeg", "-nostdin", "-y", "-hide_banner", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-500:]}")
    return done.stderr


def make(path: Path, options: str, *, pictures: str = PICTURES) -> Path:
    """Encodes the pictures, on one thread: those of some encoders spin while they wait, at ten times the work."""
    ffmpeg("-f", "lavfi", "-i", pictures, "-threads", "1", *options.split(), path)
    return path


def shown_by_ffmpeg(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT)) -> tuple[np.ndarray, np.ndarray]:
    """Times from the first frame [frames], and the frames uint8 RGB [frames, H, W, 3]."""
    raw = path.with_name(path.name + ".rgb")
    said = ffmpeg(
        "-i", path, "-an", "-vf", "showinfo", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", raw
    )
    times = np.array([float(found) for found in re.findall(r"pts_time:\s*(-?[\d.e+-]+)", said)])
    frames = np.frombuffer(raw.read_bytes(), np.uint8).reshape(-1, size[1], size[0], 3)
    raw.unlink()
    times = times[: len(frames)]
    return times - times[0], frames
