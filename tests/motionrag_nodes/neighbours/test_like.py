"""More like this: clips by another clip's motion, alone and together with words and pictures."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from index_builder.clips.decode import decode_clip
from index_builder.database.search.motion_search import motion_direction
from index_builder.database.search.reader import Hit, MotionDatabase
from index_builder.errors import ClipUnreadable, InvalidSetting, TokensNotStored
from motionrag_nodes.errors import NeighboursNotFound
from motionrag_nodes.neighbours.like import clip_motion, fused, retrieve_like
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_video


def names(found) -> list[str]:
    return [Path(item.source).stem for item in found.items]


def test_clips_come_in_the_order_of_their_motions_likeness(
    database: MotionDatabase, encoder: ProjectionEncoder
) -> None:
    tokens, own = clip_motion("clip_2.mp4", database=database, encoder=encoder)
    found = retrieve_like(database, encoder=encoder, motion_tokens=tokens, top_k=6)
    assert (found.items[0].row_id,) == own and found.items[0].score > 0.999
    stored = database.tokens(database.ids(), fingerprint=encoder.tokens_fingerprint).motion_tokens
    cosines = dict(zip(database.ids(), motion_direction(stored) @ motion_direction(tokens), strict=True))
    assert [item.row_id for item in found.items] == sorted(cosines, key=lambda key: -cosines[key])
    assert np.allclose([item.motion_score for item in found.items], sorted(cosines.values(), reverse=True), atol=1e-6)
    without = retrieve_like(database, encoder=encoder, motion_tokens=tokens, top_k=6, exclude=own)
    assert names(without) == names(found)[1:]


def test_a_video_that_is_not_indexed_finds_its_copy(
    tmp_path: Path, folder: Path, database: MotionDatabase, encoder: ProjectionEncoder
) -> None:
    copy = Path(shutil.copy(folder / "clip_3.mp4", tmp_path / "copy.mp4"))
    tokens, own = clip_motion(str(copy), database=database, encoder=encoder)
    assert own == tuple(database.ids_called("clip_3.mp4"))
    assert names(retrieve_like(database, encoder=encoder, motion_tokens=tokens, top_k=1)) == ["clip_3"]
    without = retrieve_like(database, encoder=encoder, motion_tokens=tokens, top_k=6, exclude=[str(copy)])
    assert "clip_3" not in names(without) and len(without.items) == 5


def test_a_video_of_another_content_is_no_row(
    tmp_path: Path, database: MotionDatabase, encoder: ProjectionEncoder
) -> None:
    _, own = clip_motion(str(write_video(tmp_path / "clip_99.mp4", seed=99)), database=database, encoder=encoder)
    assert own == ()


def test_a_fifo_is_no_video(tmp_path: Path, database: MotionDatabase, encoder: ProjectionEncoder) -> None:
    os.mkfifo(tmp_path / "fifo.mp4")
    with pytest.raises(ClipUnreadable, match="no regular file"):
        clip_motion(str(tmp_path / "fifo.mp4"), database=database, encoder=encoder)
    with pytest.raises(InvalidSetting, match="a clip of db or a video file"):
        clip_motion("x" * 5000, database=database, encoder=encoder)
    retrieve_like(
        database,
        encoder=encoder,
        motion_tokens=clip_motion("clip_2", database=database, encoder=encoder)[0],
        exclude=["x" * 5000, str(tmp_path / "fifo.mp4"), "nul\0"],
    )


def test_words_and_pictures_join_in(folder: Path, database: MotionDatabase, encoder: ProjectionEncoder) -> None:
    tokens, own = clip_motion("clip_2", database=database, encoder=encoder)
    ask = {"encoder": encoder, "motion_tokens": tokens, "exclude": own}
    both = retrieve_like(database, **ask, prompt="a dog runs away")
    by_motion, by_text = (
        {item.source: item.rank for item in found.items}
        for found in (retrieve_like(database, **ask), retrieve_like(database, **ask, prompt="a dog runs away"))
    )
    assert set(by_motion) == set(by_text) and both.items[0].text_score is not None
    picture = decode_clip(folder / "clip_3.mp4", frames=16, seconds=2.0, short_side=48).frames[0]
    all_three = retrieve_like(database, **ask, prompt="a dog runs away", image=picture)
    assert names(all_three)[0] == "clip_3" and all_three.items[0].frame_score > 0.99
    assert all(0 < item.score <= 1 for item in all_three.items)


def test_ranks_are_fused_not_scores() -> None:
    one = [Hit("a", 0.9), Hit("b", 0.8), Hit("c", 0.1)]
    other = [Hit("b", 1e-9), Hit("c", -1.0), Hit("a", -1.0)]
    assert [row_id for row_id, _ in fused([one, other])] == ["b", "a", "c"]
    assert fused([one]) == [("a", 0.9), ("b", 0.8), ("c", 0.1)]
    assert fused([one, one])[0] == ("a", 1.0)


def test_what_cannot_be_looked_for(database: MotionDatabase, encoder: ProjectionEncoder) -> None:
    tokens, _ = clip_motion("clip_2", database=database, encoder=encoder)
    with pytest.raises(InvalidSetting, match=r"a clip of db or a video file, received nowhere\.mp4"):
        clip_motion("nowhere.mp4", database=database, encoder=encoder)
    with pytest.raises(InvalidSetting, match="top_k of at least 1"):
        retrieve_like(database, encoder=encoder, motion_tokens=tokens, top_k=0)
    with pytest.raises(InvalidSetting, match=r"min_score in \[-1, 1\], received nan"):
        retrieve_like(database, encoder=encoder, motion_tokens=tokens, min_score=float("nan"))
    with pytest.raises(InvalidSetting, match="received an empty one"):
        retrieve_like(database, encoder=encoder, motion_tokens=tokens, prompt="  ")
    with pytest.raises(NeighboursNotFound, match="move alike with a score of at least 1"):
        retrieve_like(database, encoder=encoder, motion_tokens=-tokens, min_score=1.0)
    with pytest.raises(InvalidSetting, match=r"finite motion tokens \[4, 6\]"):
        database.search_motion(tokens[:2], k=1, fingerprint=encoder.tokens_fingerprint)
    with pytest.raises(TokensNotStored, match="Expected tokens of fingerprint other"):
        database.search_motion(tokens, k=1, fingerprint="other")
