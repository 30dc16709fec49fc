"""Frames are those that ffmpeg shows at that time: in every container and codec, and where time itself is odd."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from index_builder.clips.decode import DecodedClip, decode_windows
from index_builder.clips.reading import Reading
from index_builder.clips.timeline import DecodeLimits, read_timeline
from tests.index_builder.ffmpeg_videos import (
    H264,
    H265,
    HEIGHT,
    MPEG2,
    PICTURES,
    PLAIN,
    WIDTH,
    ffmpeg,
    make,
    needs_ffmpeg,
    shown_by_ffmpeg,
)

pytestmark = needs_ffmpeg
LONG = f"testsrc2=s={WIDTH}x{HEIGHT}:r=25:d=45"
SIZES = {"dv.dv": (720, 576)}
# Chroma is scaled by other filters there (10 bits), or the picture is (pixels that are not square).
COARSE = {"ten_bits.mkv", "dv.dv"}


def assert_as_ffmpeg(
    path: Path, *, windows: Sequence[tuple[float, float]] | None = None, coarse: bool = False
) -> list[DecodedClip]:
    """Every frame of the clips is the one that ffmpeg shows then, to the bit unless `coarse`, and its picture is nearer
    to that one than to those around it."""
    times, frames = shown_by_ffmpeg(path, SIZES.get(path.name, (WIDTH, HEIGHT)))
    timeline = read_timeline(path, limits=DecodeLimits())
    assert len(timeline.ticks) == len(times)
    end = timeline.duration_sec
    windows = windows or [(0, min(1.5, end)), (end / 2 - 0.5, end / 2 + 0.5), (max(0, end - 1.1), end)]
    side = min(timeline.width, timeline.height)
    clips = dict(decode_windows(path, timeline, windows, reading=Reading(frames=16, short_side=side)))

    @cache
    def shown(number: int, shape: tuple[int, ...]) -> np.ndarray:
        return _resized(frames[number], shape).astype(np.int16)

    for place, (start, stop) in enumerate(windows):
        clip = clips[place]
        assert isinstance(clip, DecodedClip), clip
        for number, frame in enumerate(clip.frames):
            at = start + (stop - start) * number / 16
            due = max(0, int(np.searchsorted(times, at + 1e-4, side="right")) - 1)
            first = max(0, due - 3)
            near = [shown(number, frame.shape) for number in range(first, min(due + 4, len(frames)))]
            apart = np.array([np.abs(one - frame).mean() for one in near])
            assert apart[due - first] == apart.min(), (path.name, at, due, first + int(apart.argmin()))
            assert coarse or apart.min() == 0, (path.name, at, apart.min())
    return [clips[place] for place in range(len(windows))]


def _resized(frame: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return frame if frame.shape == shape else np.asarray(Image.fromarray(frame).resize(shape[1::-1]))


@pytest.mark.parametrize("name", PLAIN)
def test_every_codec_in_every_container(tmp_path: Path, name: str) -> None:
    assert_as_ffmpeg(make(tmp_path / name, PLAIN[name]), coarse=name in COARSE)


def _remux(source: str, target: str, options: str = "", *, before: str = "") -> Callable[[Path], Path]:
    """Makes `source` (of PLAIN), and from its packets, in another container or time, `target`."""

    def to(folder: Path) -> Path:
        made = make(folder / f"source.{source}", PLAIN[source])
        ffmpeg(*before.split(), "-i", made, "-c", "copy", *options.split(), folder / target)
        return folder / target

    return to


def _encode(target: str, options: str, pictures: str = PICTURES) -> Callable[[Path], Path]:
    return lambda folder: make(folder / target, options, pictures=pictures)


def _joined(source: str, copies: int, *, offset_sec: int = 0) -> Callable[[Path], Path]:
    def to(folder: Path) -> Path:
        first = make(folder / f"source.{source}", PLAIN[source])
        parts = [first.read_bytes()] * copies
        if offset_sec:
            ffmpeg("-i", first, "-c", "copy", "-output_ts_offset", offset_sec, folder / f"later.{source}")
            parts[1:] = [(folder / f"later.{source}").read_bytes()]
        (folder / source).write_bytes(b"".join(parts))
        return folder / source

    return to


def _without_its_beginning(source: str, size_bytes: int) -> Callable[[Path], Path]:
    def to(folder: Path) -> Path:
        made = make(folder / source, PLAIN[source])
        made.write_bytes(made.read_bytes()[size_bytes:])
        return made

    return to


VARIABLE = f"-vf select=lt(mod(n\\,7)\\,3) -fps_mode vfr {H264}"
ODD_TIMES = {
    "variable rate, mkv": _encode("v.mkv", VARIABLE),
    "variable rate, mp4": _encode("v.mp4", VARIABLE),
    "variable rate, ts": _encode("v.ts", VARIABLE),
    "dropped frames, avi": _encode("v.avi", "-vf select=lt(mod(n\\,7)\\,3) -fps_mode vfr -c:v mpeg4 -q:v 2"),
    "edit list": _remux("h264.mp4", "cut.mp4", before="-ss 1.3"),
    "late start, mp4": _remux("h264.mp4", "late.mp4", before="-itsoffset 5"),
    "late start, mkv": _remux("h264.mp4", "late.mkv", before="-itsoffset 5"),
    "wrap of 33 bits, ts": _remux("h264.mp4", "wrap.ts", "-output_ts_offset 95441"),
    "wrap of 33 bits, mpg": _remux("mpeg2.mpg", "wrap.mpg", "-output_ts_offset 95441"),
    "joined, ts": _joined("h264.ts", 3),
    "joined, h265": _joined("h265.ts", 2),
    "joined, mpg": _joined("mpeg2.mpg", 2),
    "joined with a jump on": _joined("h264.ts", 2, offset_sec=1000),
    "recorded from the middle of a scene": _without_its_beginning("h264.ts", 20_000),
    "recorded from the middle of a scene, mpg": _without_its_beginning("mpeg2.mpg", 100_000),
    "fragments": _remux("h264.mp4", "frag.mp4", "-movflags frag_keyframe+empty_moov"),
    "before zero": _remux("h264.mp4", "early.mkv", "-copyts", before="-itsoffset -1.5"),
    "hidden frames": _encode("hidden.webm", "-c:v libvpx-vp9 -auto-alt-ref 6 -lag-in-frames 25 -cpu-used 5"),
    "a bare stream of av1": _remux("av1.mp4", "bare.obu"),
    "no index": _remux("h264.mp4", "live.mkv", "-live 1"),
    "open groups": _encode("open.mp4", "-c:v libx264 -x264opts open-gop=1:keyint=12:bframes=3"),
    "no key frames but the first": _encode("intra.mp4", "-c:v libx264 -x264opts intra-refresh=1:keyint=25"),
    "a second stream": _encode("two.ts", f"-f lavfi -i color=red:s=96x64:d=4:r=25 -map 0 -map 1 {H264}"),
    "beside sound": _encode("sound.ts", f"-f lavfi -i sine=d=4 {H264} -c:a aac"),
    "one frame a second": _encode("slow.mp4", H264, f"testsrc2=s={WIDTH}x{HEIGHT}:r=1:d=30"),
    "full range": _encode("full.mp4", "-vf scale=out_range=full -pix_fmt yuvj420p -c:v libx264"),
    "alpha": _encode("alpha.webm", "-c:v libvpx-vp9 -pix_fmt yuva420p -cpu-used 8 -deadline realtime"),
}


@pytest.mark.parametrize("kind", ODD_TIMES)
def test_odd_times(tmp_path: Path, kind: str) -> None:
    assert_as_ffmpeg(ODD_TIMES[kind](tmp_path))


INTERLACED = {
    "inter.ts": f"-vf interlace {MPEG2} -flags +ildct+ilme",
    "inter.mkv": "-vf interlace -c:v libx264 -x264opts interlaced=1 -bf 2",
    "hdr.mkv": f"{H265} -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc",
}


@pytest.mark.parametrize("name", INTERLACED)
def test_pictures_whose_colours_are_scaled_by_fields_or_in_ten_bits(tmp_path: Path, name: str) -> None:
    assert_as_ffmpeg(make(tmp_path / name, INTERLACED[name]), coarse=True)


# Far apart and in no order: in the first three containers of each, a decoder seeks.
WINDOWS = [(40.0, 42.0), (1.0, 3.0), (24.7, 25.2), (44.5, 45.0), (11.0, 13.0)]


@pytest.mark.parametrize(
    "name, options",
    [
        ("a.mp4", "-c:v libx264 -preset veryfast -bf 3"),
        ("a.mkv", "-c:v libx264 -preset veryfast -x264opts open-gop=1:keyint=60:bframes=3"),
        ("b.mkv", "-c:v libx264 -x264opts intra-refresh=1:keyint=60:bframes=2"),
        ("c.mp4", "-c:v libx265 -preset ultrafast -x265-params log-level=error:open-gop=1:keyint=60:bframes=3"),
        ("d.webm", "-c:v libvpx -auto-alt-ref 1 -lag-in-frames 12 -deadline realtime -cpu-used 8"),
        ("e.mp4", "-c:v libx264 -preset veryfast -bf 3 -movflags frag_keyframe+empty_moov"),
        ("f.mkv", "-c:v libx264 -preset veryfast -bf 3 -live 1"),
        ("g.ts", "-c:v libx264 -preset veryfast -bf 3"),
        ("h.avi", "-c:v libx264 -preset veryfast -bf 3"),
    ],
)
def test_clips_far_apart(tmp_path: Path, name: str, options: str) -> None:
    assert_as_ffmpeg(make(tmp_path / name, options, pictures=LONG), windows=WINDOWS)


def test_an_index_that_lies_is_not_believed(tmp_path: Path) -> None:
    """Each entry of the Matroska cues gets the time of the one before, so that every seek lands too late."""
    path = make(tmp_path / "a.mkv", "-c:v libx264 -preset veryfast -g 50", pictures=LONG)
    content = bytearray(path.read_bytes())
    cues, times = content.index(b"\x1c\x53\xbb\x6b"), []
    place = content.find(b"\xb3\x82", cues)
    while place >= 0:
        times.append(place + 2)
        place = content.find(b"\xb3\x82", place + 4)
    assert len(times) > 15
    values = [struct.unpack(">H", content[place : place + 2])[0] for place in times]
    for place, value in zip(times[4:], values[:-4], strict=True):
        content[place : place + 2] = struct.pack(">H", value)
    path.write_bytes(content)
    assert_as_ffmpeg(path, windows=WINDOWS)


def test_a_held_last_frame_is_shown_to_the_end(tmp_path: Path) -> None:
    """Three seconds of movement, then the last frame for a minute: slides, and recordings of screens."""
    moving = make(tmp_path / "moving.mp4", "-c:v libx264 -bf 0", pictures=f"testsrc2=s={WIDTH}x{HEIGHT}:r=25:d=3")
    held = tmp_path / "held.mp4"
    ffmpeg("-i", moving, "-c", "copy", "-bsf:v", "setts=duration=if(eq(N\\,74)\\,60/TB\\,DURATION)", held)
    clips = assert_as_ffmpeg(held, windows=[(0, 2), (2, 4), (30, 32), (60.9, 62.9)])
    assert np.array_equal(clips[2].frames[0], clips[3].frames[-1])
    assert not np.array_equal(clips[1].frames[0], clips[1].frames[-1])


def test_a_cover_as_the_first_stream_is_no_video(tmp_path: Path) -> None:
    """A picture in front of the film, without the flag that says so: old Windows Media, Matroska."""
    path = tmp_path / "cover.mkv"
    cover = ["-f", "lavfi", "-i", "color=red:s=160x120:d=0.04:r=25", "-f", "lavfi", "-i", PICTURES]
    ffmpeg(*cover, "-map", "0", "-map", "1", "-c:v:0", "mjpeg", "-c:v:1", "libx264", path)
    timeline = read_timeline(path, limits=DecodeLimits())
    assert (timeline.width, timeline.height, timeline.stream, len(timeline.ticks)) == (WIDTH, HEIGHT, 1, 100)
    ((_, clip),) = decode_windows(path, timeline, [(0, 2)], reading=Reading(frames=4, short_side=HEIGHT))
    assert len({frame.tobytes() for frame in clip.frames}) == 4


def test_animated_webp(tmp_path: Path) -> None:
    path = make(tmp_path / "a.webp", "-c:v libwebp_anim -lossless 1 -loop 0")
    timeline = read_timeline(path, limits=DecodeLimits())
    assert len(timeline.ticks) == 100 and timeline.duration_sec == pytest.approx(4.0, abs=0.02)
    reference = make(tmp_path / "a.mkv", "-c:v ffv1 -pix_fmt bgr0")
    _, frames = shown_by_ffmpeg(reference)
    ((_, clip),) = decode_windows(path, timeline, [(1.0, 3.0)], reading=Reading(frames=16, short_side=HEIGHT))
    assert clip.decoder == "pillow"
    for number, frame in enumerate(clip.frames):
        apart = np.abs(frames.astype(int) - frame).mean(axis=(1, 2, 3))
        assert abs(int(apart.argmin()) - (25 + 50 * number / 16)) <= 1
