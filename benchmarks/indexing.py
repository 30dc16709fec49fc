"""Indexing: the whole build against its two bounds, decoding alone and encoding alone, on the same clips.

One decode process and one torch thread, as decoding and encoding have each their own processor where a GPU encodes:
with all processors for both, the sum of the two would be the bound, not the larger. Two busy processors slow each other
(clock, caches, memory), so each bound is measured a second time while another process keeps the other one busy.

Then a long film, all of its clips: see `benchmarks.film`.

python -m benchmarks.indexing [--short] [--clips N] [--film-minutes N] [--film-height N] [--film-preset NAME]
    [--json FILE]
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.film import PRESET, measure_film
from benchmarks.measure import Result, busy_neighbour, publish, side_by_side
from index_builder.build import build_database
from index_builder.captions.captions import CaptionPlan, Captions
from index_builder.clips.find import VideoFile, find_videos
from index_builder.clips.messages import Decoded, Inspected
from index_builder.clips.timeline import DecodeLimits
from index_builder.clips.windows import PlannedClip, clip_windows, row_id
from index_builder.engines.engine import EngineWork
from index_builder.engines.local import LocalEngine, default_workers
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.demo_world.write_videos import write_clips

BATCH = 8


def decode_alone(folder: Path, encoder: PackClipEncoder) -> list[Decoded]:
    """Inspects and decodes every video as a build does, and leaves it there."""
    work = EngineWork(
        database=folder,
        reading=encoder.reading,
        limits=DecodeLimits(),
        batch_clips=BATCH,
        commit_clips=512,
        new_ticket=_no_ticket,
    )

    def plan(video: VideoFile, inspected: Inspected) -> list[PlannedClip]:
        windows = clip_windows(inspected.timeline.duration_sec, clip_seconds=encoder.clip_seconds)
        return [PlannedClip(video=video, window=w, row_id=row_id(inspected.content_sha256, w)) for w in windows]

    events = LocalEngine(workers=1).clips(find_videos([folder]), plan, work)
    return [event for event in events if isinstance(event, Decoded)]


def _no_ticket():
    raise AssertionError("the local engine writes no segments")


def encode_alone(ready: list[Decoded], captions: list[str | None], encoder: PackClipEncoder) -> None:
    """Encodes clips that are decoded already."""
    for start in range(0, len(ready), BATCH):
        part = ready[start : start + BATCH]
        encoder.encode([clip.clip.frames for clip in part], captions[start : start + BATCH])


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Sets the process's torch threads to one for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def measure(clips: int, *, repeats: int) -> list[dict]:
    """The lines of the table."""
    encoder = PackClipEncoder(load_pack("tiny"))
    with tempfile.TemporaryDirectory() as temporary, one_torch_thread():
        folder, outputs = Path(temporary) / "clips", iter(range(10**6))
        table = write_clips(folder, count=clips)
        captions = Captions(CaptionPlan(table=table), find_videos([folder]))
        ready = decode_alone(folder, encoder)
        said = [captions.of(clip.planned.video, clip.planned.window) for clip in ready]
        texts = [found.texts[0] if found else None for found in said]

        def build() -> None:
            output = Path(temporary) / f"db-{next(outputs)}"
            report = build_database(
                [folder], output=output, encoder=encoder, captions=table, workers=1, batch_clips=BATCH
            )
            if len(report.indexed) != clips:
                raise RuntimeError(
                    f"Expected {clips} clips indexed, received {len(report.indexed)}: see the report of the build."
                )

        bounds = {
            "decode alone": lambda: decode_alone(folder, encoder),
            "encode alone": lambda: encode_alone(ready, texts, encoder),
        }
        timings = side_by_side({**bounds, "build": build}, repeats=repeats)
        with busy_neighbour():
            beside = side_by_side(bounds, repeats=repeats, warm=0)
    larger = max(timings[name].least_sec for name in bounds)
    larger_beside = max(timing.least_sec for timing in beside.values())
    timings.update({f"{name}, other processor busy": timing for name, timing in beside.items()})
    return [
        {
            "what": name,
            "least_sec": timing.least_sec,
            "median_sec": timing.median_sec,
            "clips_per_sec": clips / timing.least_sec,
            "times_the_larger": timing.least_sec / larger,
            "times_the_larger_when_both_are_busy": timing.least_sec / larger_beside,
        }
        for name, timing in timings.items()
    ]


def main(
    short: Annotated[bool, typer.Option("--short", help="160 clips, one repeat, a film of 2 minutes.")] = False,
    clips: Annotated[int, typer.Option("--clips", help="How many clips of the demo world; 0 leaves them out.")] = 640,
    film_minutes: Annotated[int, typer.Option("--film-minutes", help="Length of the film; 0 leaves it out.")] = 60,
    film_height: Annotated[int, typer.Option("--film-height", help="Its height in pixels, at 16:9.")] = 720,
    film_preset: Annotated[
        str, typer.Option("--film-preset", help="x264's; ultrafast is four times as quick to decode.")
    ] = PRESET,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the results here.")] = None,
) -> None:
    """Measure and publish."""
    clips, film_minutes = (160, 2) if short else (clips, film_minutes)
    conditions = {"torch threads": 1, "pack": "tiny", "goal": "1.15 at most"}
    if clips:
        lines = measure(clips, repeats=1 if short else 3)
        described = {"clips": clips, "decode processes": 1, **conditions}
        publish(Result(title="Indexing against its bounds", conditions=described, lines=lines), json_path)
    if film_minutes:
        with one_torch_thread():
            encoder, workers = PackClipEncoder(load_pack("tiny")), default_workers()
            lines = measure_film(encoder, minutes=film_minutes, height=film_height, preset=film_preset, workers=workers)
        film_json = json_path and json_path.with_stem(f"{json_path.stem}_film")
        described = {"film minutes": film_minutes, "film height": film_height, "film preset": film_preset, **conditions}
        publish(Result(title="A long film, all of its clips", conditions=described, lines=lines), film_json)


if __name__ == "__main__":
    typer.run(main)
