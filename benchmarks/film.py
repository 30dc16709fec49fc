"""A long film, all of whose clips are indexed: the whole build against decoding the film once from end to end.

Seconds are those of the clock, and those of all processors together, which a busy machine disturbs less. During a build
all processors are busy, which slows each of them: decoding once is measured beside other work too.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av

from benchmarks.measure import busy_neighbour
from index_builder.build import build_database
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder

FPS, SCENE_SEC = 25, 20
# How hard the encoder tries, hence how much there is to decode: x264's own default.
PRESET = "medium"
# What its maker chose for 720 lines.
BITS_A_PIXEL = 5_000_000 / (1280 * 720)


def write_film(path: Path, *, minutes: float, height: int, preset: str = PRESET) -> None:
    """H.264 at 16:9, with 720 lines of about 5 Mbit/s, a key frame every 2 s: the packets of one scene again and again,
    in Matroska."""
    # MP4 stores when each packet is decoded, which differs from when it is shown where frames are predicted from later
    # ones.
    scene, width = path.with_name("scene.mp4"), height * 16 // 9
    graph = av.filter.Graph()
    source = graph.add("testsrc2", f"size={width}x{height}:rate={FPS}:duration={SCENE_SEC}")
    graph.link_nodes(source, graph.add("noise", "alls=12:allf=t"), graph.add("buffersink")).configure()
    with av.open(str(scene), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": preset, "g": "50"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = round(BITS_A_PIXEL * width * height)
        for _ in range(FPS * SCENE_SEC):
            container.mux(stream.encode(graph.pull()))
        container.mux(stream.encode())
    with av.open(str(path), "w") as container:
        stream = None
        for repeat in range(max(1, round(minutes * 60 / SCENE_SEC))):
            with av.open(str(scene)) as source:
                stream = stream or container.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(source.streams.video[0]):
                    if packet.size:
                        shift = round(repeat * SCENE_SEC / packet.time_base)
                        packet.pts = packet.pts + shift
                        packet.dts = packet.pts if packet.dts is None else packet.dts + shift
                        packet.stream = stream
                        container.mux(packet)
    scene.unlink()


def decode_once(path: Path) -> int:
    """Every frame, from first to last, on one thread, and nothing done with them; how many there were."""
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return sum(1 for _ in container.decode(video=0))


def measure_film(
    encoder: PackClipEncoder, *, minutes: float, height: int, workers: int, preset: str = PRESET
) -> list[dict]:
    """The lines of the table."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "film"
        folder.mkdir()
        path = folder / "film.mkv"
        write_film(path, minutes=minutes, height=height, preset=preset)
        frames = 0

        def decode() -> None:
            nonlocal frames
            frames = decode_once(path)

        def build() -> None:
            output = Path(temporary) / "db"
            report = build_database([folder], output=output, encoder=encoder, workers=workers, clips_per_video=None)
            if report.failed or len(report.indexed) != round(minutes * 30):
                raise RuntimeError(
                    f"Expected {minutes * 30:g} clips, received {len(report.indexed)} ({report.failed[:1]}): give "
                    "another film."
                )

        once, whole = _timed(decode), _timed(build)
        with busy_neighbour():
            beside = _timed(decode)
        size = path.stat().st_size
    return [
        {
            "what": name,
            "sec": clock,
            "processor_sec": processor,
            "times_one_decode": clock / once[0],
            "times_one_decode_beside_work": clock / beside[0],
            "times_its_processor_sec": processor / once[1],
            "frames": frames,
            "film_MiB": size / 2**20,
        }
        for name, (clock, processor) in (
            ("decode once", once),
            ("decode once, another processor busy", beside),
            (f"build of all clips, {workers} workers", whole),
        )
    ]


def _timed(act: Callable[[], None]) -> tuple[float, float]:
    """Seconds of the clock, and of all processors, those of finished child processes included."""
    before, started = _processor_sec(), time.perf_counter()
    act()
    return time.perf_counter() - started, _processor_sec() - before


def _processor_sec() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
