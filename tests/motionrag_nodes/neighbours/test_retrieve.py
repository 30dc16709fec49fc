"""Retrieval: by text, image and both; threshold, exclusion, diversity; refusal of foreign encoders."""

from pathlib import Path

import numpy as np
import pytest
import torch

from index_builder.database.search.appearance import appearance_of
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import DatabaseMismatch, InvalidSetting
from motionrag_nodes.errors import NeighboursNotFound
from motionrag_nodes.neighbours.retrieve import retrieve_neighbours
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import picture


def names(found) -> list[str]:
    return [Path(item.source).stem for item in found.items]


def test_text_ranks_by_caption(database: MotionDatabase, encoder: ProjectionEncoder) -> None:
    found = retrieve_neighbours(database, encoder=encoder, prompt="a dog runs away", top_k=3)
    best = found.items[0]
    assert names(found)[0] == "clip_3" and best.score == pytest.approx(1, abs=1e-4)
    assert (best.rank, best.caption, best.frame_score) == (1, "a dog runs away", None)
    assert best.text_score == best.score and best.thumbnail[:2] == b"\xff\xd8"
    scores = [item.score for item in found.items]
    assert scores == sorted(scores, reverse=True) and [item.rank for item in found.items] == [1, 2, 3]


def test_tokens_are_the_stored_ones_in_the_order_of_rank(database: MotionDatabase, encoder: ProjectionEncoder) -> None:
    found = retrieve_neighbours(database, encoder=encoder, prompt="a ball", top_k=9)
    assert len(found) == 6 and found.tokens_fingerprint == encoder.tokens_fingerprint
    assert found.motion_tokens.shape == (6, 4, 6) and found.motion_tokens.dtype == torch.float32
    stored = database.tokens([item.row_id for item in found.items], fingerprint=encoder.tokens_fingerprint)
    assert np.array_equal(found.motion_tokens.numpy(), stored.motion_tokens.astype(np.float32))
    assert np.array_equal(found.appearance_tokens.numpy(), stored.appearance_tokens.astype(np.float32))


def test_image_ranks_by_first_frame(database: MotionDatabase, encoder: ProjectionEncoder) -> None:
    image = picture(0, size=(64, 48), seed=4)
    found = retrieve_neighbours(database, encoder=encoder, image=image, mode="image", top_k=2)
    assert names(found)[0] == "clip_4" and found.items[0].score > 0.99
    assert found.items[0].text_score is None and found.items[0].frame_score == found.items[0].score


def test_text_then_image_ranks_the_best_by_text_again_by_frame(
    database: MotionDatabase, encoder: ProjectionEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motionrag_nodes.neighbours.retrieve.TEXT_CANDIDATES", 2)
    image = picture(0, size=(64, 48), seed=1)
    query = {"encoder": encoder, "prompt": "a red ball rolls right", "image": image, "mode": "text_then_image"}
    found = retrieve_neighbours(database, top_k=2, **query)
    # Both have the caption; only clip_1 has the picture. clip_4 would win by picture over neither.
    assert names(found) == ["clip_1", "clip_0"]
    assert (
        found.items[0].text_score == pytest.approx(1, abs=1e-4) and found.items[0].frame_score == found.items[0].score
    )
    assert len(retrieve_neighbours(database, top_k=5, **query)) == 5


def test_threshold_and_exclusion(database: MotionDatabase, encoder: ProjectionEncoder, folder: Path, caplog) -> None:
    prompt = "a red ball rolls right"
    both = retrieve_neighbours(database, encoder=encoder, prompt=prompt, min_score=0.99)
    assert sorted(names(both)) == ["clip_0", "clip_1"]
    for name in (both.items[0].row_id, both.items[0].source, names(both)[0], Path(both.items[0].source).name):
        rest = retrieve_neighbours(database, encoder=encoder, prompt=prompt, exclude=[name])
        assert len(rest) == 5 and names(both)[0] not in names(rest)
    assert "nothing is excluded" not in caplog.text
    retrieve_neighbours(database, encoder=encoder, prompt=prompt, exclude=["typo"])
    assert "called typo, so nothing is excluded by it" in caplog.text
    with pytest.raises(NeighboursNotFound, match=r"best clip scores 0\.\d+: lower min_score"):
        retrieve_neighbours(database, encoder=encoder, prompt="nothing of the kind", min_score=0.99)
    with pytest.raises(NeighboursNotFound, match="all is excluded"):
        retrieve_neighbours(database, encoder=encoder, prompt=prompt, exclude=[f"clip_{seed}" for seed in range(6)])


def test_pinned_clips_come_first_whatever_they_score(database: MotionDatabase, encoder: ProjectionEncoder) -> None:
    query = {"encoder": encoder, "prompt": "a red ball rolls right", "min_score": 0.99}
    plain = retrieve_neighbours(database, top_k=3, **query)
    for name in ("clip_3", "clip_3.mp4"):
        found = retrieve_neighbours(database, top_k=3, pin=[name], **query)
        assert names(found)[0] == "clip_3" and sorted(names(found)[1:]) == sorted(names(plain))
        assert [item.pinned for item in found.items] == [True, False, False]
        assert [item.rank for item in found.items] == [1, 2, 3] and found.items[0].score < 0.99
    score = next(
        item.score
        for item in retrieve_neighbours(database, encoder=encoder, prompt=query["prompt"]).items
        if Path(item.source).stem == "clip_3"
    )
    assert found.items[0].score == pytest.approx(score, abs=1e-5)
    stored = database.tokens([found.items[0].row_id], fingerprint=encoder.tokens_fingerprint)
    assert np.array_equal(found.motion_tokens[0].numpy(), stored.motion_tokens[0].astype(np.float32))


def test_pinned_clips_alone_fill_the_places_and_cannot_be_more(database, encoder) -> None:
    query = {"encoder": encoder, "prompt": "a dog runs away", "top_k": 2}
    assert names(retrieve_neighbours(database, pin=["clip_5", "clip_3"], **query)) == ["clip_3", "clip_5"]
    with pytest.raises(InvalidSetting, match="at most top_k = 2 pinned clips, received names of 3"):
        retrieve_neighbours(database, pin=["clip_5", "clip_3", "clip_1"], **query)
    with pytest.raises(NeighboursNotFound, match="called typo to pin, found none"):
        retrieve_neighbours(database, pin=["typo"], **query)
    with pytest.raises(InvalidSetting, match="excluded or pinned, received both for clip_5"):
        retrieve_neighbours(database, pin=["clip_5"], exclude=["clip_5"], **query)


def test_a_pinned_clip_counts_for_diversity(database: MotionDatabase, encoder: ProjectionEncoder) -> None:
    # clip_0 and clip_1 share a caption: beside the pinned one, the other is the last that diversity takes.
    query = {"encoder": encoder, "prompt": "a red ball rolls right", "pin": ["clip_0"], "top_k": 2}
    assert names(retrieve_neighbours(database, **query)) == ["clip_0", "clip_1"]
    assert "clip_1" not in names(retrieve_neighbours(database, diversity=0.7, **query))


def test_a_clip_of_weight_0_makes_room_for_the_next(database: MotionDatabase, encoder: ProjectionEncoder) -> None:
    query = {"encoder": encoder, "prompt": "a dog runs away", "top_k": 3}
    four = names(retrieve_neighbours(database, **{**query, "top_k": 4}))
    by_name = retrieve_neighbours(database, weights={four[1]: 0.0}, **query)
    assert names(by_name) == [four[0], *four[2:]] and by_name.weights == (1.0, 1.0, 1.0)
    # Ranks are those of the clips as they were found, the one that goes included.
    by_rank = retrieve_neighbours(database, weights={"#2": 0.0, "#3": 2.0}, **query)
    three = names(retrieve_neighbours(database, **query))
    assert three[1] not in names(by_rank) and len(by_rank) == 3
    assert dict(zip(names(by_rank), by_rank.weights, strict=True))[three[2]] == 2.0
    unpinned = retrieve_neighbours(database, pin=[four[3]], weights={four[3]: 0.0}, **query)
    assert names(unpinned) == four[:3]
    with pytest.raises(InvalidSetting, match="Expected the weight of a clip, received typo"):
        retrieve_neighbours(database, weights={"typo": 0.0}, **query)


def test_weights_go_to_the_clips_named_or_ranked(database: MotionDatabase, encoder: ProjectionEncoder) -> None:
    query = {"encoder": encoder, "prompt": "a dog runs away", "top_k": 3}
    found = retrieve_neighbours(database, weights={"clip_3": 2.0, "#2": 0.5}, **query)
    assert names(found)[0] == "clip_3" and found.weights == (2.0, 0.5, 1.0)
    absent = next(f"clip_{seed}" for seed in range(6) if f"clip_{seed}" not in names(found))
    assert retrieve_neighbours(database, weights={absent: 3.0}, **query).weights == (1.0, 1.0, 1.0)
    with pytest.raises(InvalidSetting, match=r"received #4: ranks go from #1 to #3"):
        retrieve_neighbours(database, weights={"#4": 2.0}, **query)
    with pytest.raises(InvalidSetting, match=r"received typo: .*names are ids, file names or stems of db"):
        retrieve_neighbours(database, weights={"typo": 2.0}, **query)


def test_diversity_leaves_out_what_is_alike(database: MotionDatabase, encoder: ProjectionEncoder) -> None:
    prompt = "a red ball rolls right"
    plain = retrieve_neighbours(database, encoder=encoder, prompt=prompt, top_k=2)
    varied = retrieve_neighbours(database, encoder=encoder, prompt=prompt, top_k=2, diversity=0.7)
    assert sorted(names(plain)) == ["clip_0", "clip_1"]
    assert len(set(names(varied)) & {"clip_0", "clip_1"}) == 1
    assert varied.items[0].score >= varied.items[1].score


def test_a_foreign_encoder_is_refused_with_the_remedy(database: MotionDatabase) -> None:
    with pytest.raises(
        DatabaseMismatch, match=r"as pack projection-1 asks, found fixed projection 0 \(32\): build it again"
    ):
        retrieve_neighbours(database, encoder=ProjectionEncoder(seed=1), prompt="x")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Expected a prompt for mode text"),
        ({"prompt": "  "}, "Expected a prompt"),
        ({"prompt": "x", "mode": "image"}, "Expected an image for mode image"),
        ({"prompt": "x", "mode": "text_then_image"}, "Expected an image"),
        ({"prompt": "x", "mode": "sound"}, "Expected a mode of text, image, text_then_image"),
        ({"prompt": "x", "image": np.zeros((4, 4, 3))}, "uint8 RGB"),
        ({"prompt": "x", "top_k": 0}, "top_k of at least 1"),
        ({"prompt": "x", "min_score": 2.0}, r"min_score in \[-1, 1\]"),
        ({"prompt": "x", "diversity": -0.1}, r"diversity in \[0, 1\]"),
    ],
)
def test_bad_questions_say_what_is_wrong(database, encoder, arguments: dict, message: str) -> None:
    with pytest.raises(InvalidSetting, match=message):
        retrieve_neighbours(database, encoder=encoder, **arguments)


def test_without_looks_captions_are_ranked_by_what_is_left(
    database: MotionDatabase, encoder: ProjectionEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the plain computation over all rows."""
    monkeypatch.setattr("index_builder.database.search.appearance.FEWEST_CAPTIONS", 3)
    asked = {"encoder": encoder, "prompt": "a red ball jumps", "top_k": 6}
    found = retrieve_neighbours(database, ignore_looks=0.7, **asked)
    part = appearance_of(database)
    ids = [item.row_id for item in found.items]
    query = part.removed(encoder.encode_text(["a red ball jumps"]), 0.7)[0]
    expected = part.removed(database.embeddings(ids, "text"), 0.7) @ query
    np.testing.assert_allclose([item.score for item in found.items], expected, atol=1e-5)
    assert (np.diff(expected) < 1e-5).all() and len(found) == 6
    whole = retrieve_neighbours(database, **asked)
    assert [item.score for item in whole.items] != [item.score for item in found.items]
    image = picture(0, size=(64, 48), seed=1)
    both = retrieve_neighbours(database, ignore_looks=1.0, image=image, mode="text_then_image", **asked)
    assert both.items[0].score == both.items[0].frame_score


def test_too_few_captions_cannot_tell_looks_from_motion(database: MotionDatabase, encoder: ProjectionEncoder) -> None:
    fresh = MotionDatabase.open(database.path)
    with pytest.raises(InvalidSetting, match="Expected at least 64 clips with captions to tell looks from motion"):
        retrieve_neighbours(fresh, encoder=encoder, prompt="a ball", ignore_looks=1.0)
    with pytest.raises(InvalidSetting, match=r"Expected ignore_looks in \[0, 1\], received 2"):
        retrieve_neighbours(fresh, encoder=encoder, prompt="a ball", ignore_looks=2)
