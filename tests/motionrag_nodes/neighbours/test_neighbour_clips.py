"""Neighbours as clips: the right frames at the right size, with sound, remembered, and refused with a remedy."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from index_builder.build import build_database
from index_builder.clips.allowed_folders import AllowedFolders
from index_builder.clips.clip_reader import ClipReader
from index_builder.clips.decode import decode_clip
from index_builder.clips.reading import Reading
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import InvalidSetting
from motionrag_nodes.errors import NeighbourClipMissing
from motionrag_nodes.neighbours.clip_format import ClipFormat
from motionrag_nodes.neighbours.neighbour_clips import described, neighbour_clips
from motionrag_nodes.neighbours.neighbours import Neighbour, Neighbours
from motionrag_nodes.neighbours.retrieve import retrieve_neighbours
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_sounding_video, write_video


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_sounding_video(folder / "loud.mp4", seconds=3, loud=(1.0, 2.0), seed=1)
    write_video(folder / "silent.mp4", seed=2, frames=60)
    (folder / "loud.txt").write_text("a bell rings")
    (folder / "silent.txt").write_text("a leaf falls")
    return folder


@pytest.fixture(scope="module")
def found(clips: Path, encoder: ProjectionEncoder, tmp_path_factory: pytest.TempPathFactory) -> Neighbours:
    output = tmp_path_factory.mktemp("databases") / "db"
    build_database([clips], output=output, encoder=encoder, workers=1)
    return retrieve_neighbours(MotionDatabase.open(output), encoder=encoder, prompt="a bell rings", top_k=2)


@pytest.fixture
def sources(clips: Path) -> AllowedFolders:
    return AllowedFolders((clips,))


def test_the_clips_that_were_found_in_their_order(found: Neighbours, sources: AllowedFolders) -> None:
    bell, leaf = neighbour_clips(found, wanted=ClipFormat(), count=5, sources=sources)
    assert (bell.neighbour.caption, leaf.neighbour.caption) == ("a bell rings", "a leaf falls")
    for clip in (bell, leaf):
        span = {"start_sec": clip.neighbour.start_sec, "end_sec": clip.neighbour.end_sec}
        direct = decode_clip(
            Path(clip.neighbour.source), reading=Reading(frames=len(clip.frames), short_side=48), **span
        )
        assert np.array_equal(clip.frames, direct.frames) and clip.fps == 15


def test_sound_where_the_video_has_some(found: Neighbours, sources: AllowedFolders) -> None:
    bell, leaf = neighbour_clips(found, wanted=ClipFormat(), count=2, sources=sources)
    assert bell.sound is not None and leaf.sound is None
    assert bell.sound.samples.shape[1] / bell.sound.rate == pytest.approx(len(bell.frames) / bell.fps, abs=1e-3)
    (slow,) = neighbour_clips(found, wanted=ClipFormat(frames=90, short="slow down"), sources=sources)
    assert slow.sound is None and "slowed down" in described([slow])


def test_as_the_next_model_wants_them(found: Neighbours, sources: AllowedFolders) -> None:
    wanted = ClipFormat(fps=16, frames=81, width=96, height=32, multiple=16)
    (clip,) = neighbour_clips(found, wanted=wanted, rank=2, sources=sources)
    assert clip.frames.shape == (81, 32, 96, 3) and clip.fps == 16 and clip.span.repeated == 17
    assert described([clip]).endswith("96 x 32, 81 frames at 16 fps (17 repeated)  a leaf falls")


def test_cropped_or_padded(found: Neighbours, sources: AllowedFolders) -> None:
    square = {"width": 48, "height": 48}
    (cropped,) = neighbour_clips(found, wanted=ClipFormat(**square), sources=sources)
    (padded,) = neighbour_clips(found, wanted=ClipFormat(fit="pad", **square), sources=sources)
    assert cropped.frames.shape[1:] == padded.frames.shape[1:] == (48, 48, 3)
    assert padded.frames[:, :5].max() < 8 and cropped.frames[:, :5].max() > 8
    (own,) = neighbour_clips(found, wanted=ClipFormat(), sources=sources)
    assert np.array_equal(cropped.frames, own.frames[:, :, 8:56])


def test_what_was_read_is_remembered(
    found: Neighbours, sources: AllowedFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = neighbour_clips(found, wanted=ClipFormat(frames=7), sources=sources)
    monkeypatch.setattr(ClipReader, "inspect", None)
    assert neighbour_clips(found, wanted=ClipFormat(frames=7), sources=sources)[0] is first[0]


def test_a_missing_video_says_how_to_find_it(found: Neighbours, sources: AllowedFolders) -> None:
    gone = replace(found.items[0], source=str(sources.folders[0] / "gone.mp4"))
    with pytest.raises(NeighbourClipMissing, match=r"neighbour #1 at .*gone.mp4.*motionrag index relocate DATABASE"):
        neighbour_clips(replace(found, items=(gone, found.items[1])), wanted=ClipFormat(), sources=sources)


def test_another_video_of_that_name_is_refused(found: Neighbours, tmp_path: Path) -> None:
    shutil.copy(found.items[1].source, tmp_path / "loud.mp4")
    other = replace(found.items[0], source=str(tmp_path / "loud.mp4"))
    with pytest.raises(NeighbourClipMissing, match="its content is not what was indexed"):
        neighbour_clips(
            replace(found, items=(other, found.items[1])), wanted=ClipFormat(), sources=AllowedFolders((tmp_path,))
        )


def test_only_allowed_folders_are_read(found: Neighbours, tmp_path: Path) -> None:
    with pytest.raises(NeighbourClipMissing, match="it lies in no folder that was indexed here"):
        neighbour_clips(found, wanted=ClipFormat(), sources=AllowedFolders((tmp_path,)))


def test_own_clips_have_no_content_that_they_must_have(clips: Path, sources: AllowedFolders) -> None:
    source = str(clips / "silent.mp4")
    own = Neighbour(1, source, 1.0, None, None, None, source, 0.0, 2.0, b"")
    neighbours = Neighbours((own,), torch.zeros(1, 2, 2), torch.zeros(1, 2, 2), "x")
    assert len(neighbour_clips(neighbours, wanted=ClipFormat(), sources=sources)[0].frames) == 30
    frames = replace(own, row_id="frames 1", source="frames 1")
    with pytest.raises(NeighbourClipMissing, match="connect those frames instead"):
        neighbour_clips(replace(neighbours, items=(frames,)), wanted=ClipFormat(), sources=sources)


def test_a_rank_that_there_is_none_of(found: Neighbours, sources: AllowedFolders) -> None:
    with pytest.raises(InvalidSetting, match=r"Expected a rank from 1 to 2 .* received rank 3"):
        neighbour_clips(found, wanted=ClipFormat(), rank=3, sources=sources)


def test_a_relative_source_begins_at_a_root_of_its_database(found: Neighbours, sources: AllowedFolders) -> None:
    folder = sources.folders[0]
    named = replace(found.items[0], source="loud.mp4")
    moved = replace(found, items=(named, found.items[1]), roots=(folder,))
    assert len(neighbour_clips(moved, wanted=ClipFormat(), sources=sources)[0].frames) == 30
    with pytest.raises(NeighbourClipMissing, match="no plain one below a declared root"):
        neighbour_clips(replace(moved, roots=()), wanted=ClipFormat(), sources=sources)
