"""Storyboards as videos: every part has its frames, its own motion, and the last frame of the one before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.errors import InvalidSetting
from motionrag_nodes.adapted_tokens.adapt import adapt_motion
from motionrag_nodes.backbones.svd.settings import SVDSettings
from motionrag_nodes.frames.generate import generate_video
from motionrag_nodes.frames.known_runs import KnownRuns
from motionrag_nodes.frames.storyboard import Part
from motionrag_nodes.frames.storyboard_sheet import storyboard_sheet
from motionrag_nodes.frames.storyboard_video import Run, described, plan_runs, storyboard_video
from motionrag_nodes.frames.video_model import load_video_model
from motionrag_nodes.neighbours.reference_videos import encode_reference_videos
from tests.index_builder.sample_videos import write_video

SETTINGS = SVDSettings(
    width=64, height=64, frames=3, fps=4, steps=1, min_guidance=1.0, max_guidance=2.0, decode_chunk_size=2, seed=7
)
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
PARTS = (Part(1.25, "it rolls"), Part(0.5, "it stops"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    return [write_video(folder / f"{seed}.mp4", seed=seed) for seed in (1, 2)]


@pytest.fixture
def model(tiny_pipeline_folder, tiny_pack):
    return load_video_model(tiny_pipeline_folder, pack=tiny_pack)


def made(model, clips, parts=PARTS, **options):
    found = [encode_reference_videos(model.pack, [clip]) for clip in clips]
    given = {"image": IMAGE, "parts": parts, "found": found, "settings": SETTINGS, "fusion": "mean"}
    return storyboard_video(model, model.pack, **given | options)


def test_runs_add_up_to_the_parts() -> None:
    assert plan_runs(PARTS, SETTINGS) == [Run(part=0, kept=3), Run(part=0, kept=2), Run(part=1, kept=2)]
    # The single frame that is left of 1.5 s would need a run for itself.
    assert plan_runs([Part(1.5, "a")], SETTINGS) == [Run(part=0, kept=3), Run(part=0, kept=2)]
    assert plan_runs([Part(0.25, "a"), Part(0.25, "b")], SETTINGS) == [Run(part=0, kept=1), Run(part=1, kept=1)]
    with pytest.raises(InvalidSetting, match="Expected runs of at least 2 frames, received 1"):
        plan_runs(PARTS, replace(SETTINGS, frames=1))


def test_each_run_goes_on_from_the_last_frame(model, clips) -> None:
    steps: list[tuple[int, int]] = []
    video = made(model, clips, show_picture=True, on_step=lambda *count: steps.append(count))
    pixels = video.pixels()
    assert pixels.shape == (7, 64, 64, 3) and np.array_equal(pixels[0], IMAGE)
    assert video.part_begins() == [0, 5] and [seam.frame for seam in video.part_seams()] == [5]
    motion = adapt_motion(model.pack, video.found[1], image=pixels[4], fusion="mean")
    last = generate_video(model, image=pixels[4], motion=motion, settings=replace(SETTINGS, seed=9))
    assert np.array_equal(pixels[5:], (last.frames[1:].clamp(0, 1) * 255).round().byte().numpy())
    assert steps == sorted(steps) and steps[-1] == (3, 3)
    first, second = described(video).splitlines()
    assert first == f"0.00 s: it rolls (#1: 1.mp4, {video.found[0].items[0].score:.3f})"
    assert second.startswith("1.25 s: it stops (#1: 2.mp4, ") and " of 255, within " in second
    assert storyboard_sheet(video).shape[2] == 3


def test_what_is_known_is_not_made_again(model, clips) -> None:
    known = KnownRuns()
    whole = made(model, clips, known=known)
    stopped = {"known": known, "should_stop": lambda: True}  # would end any run that is made
    assert np.array_equal(made(model, clips, **stopped).pixels(), whole.pixels())
    changed = made(model, [clips[0], clips[0]], known=known)
    assert np.array_equal(changed.pixels()[:5], whole.pixels()[:5])
    assert not np.array_equal(changed.pixels(), whole.pixels())
    with pytest.raises(Exception, match="stopped as asked"):
        made(model, clips, strength=0.5, **stopped)
    small = KnownRuns(most_bytes=1)
    made(model, clips, known=small)
    assert [len(kept) for kept in small._videos.values()] == [1]
