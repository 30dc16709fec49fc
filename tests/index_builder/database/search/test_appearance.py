"""What looks say in captions: the directions that first frames foretell, and captions without them."""

from __future__ import annotations

import numpy as np
import pytest

from index_builder.database.search.appearance import fit_appearance
from index_builder.errors import InvalidSetting


def world(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Captions [N, 24] of loud objects and quiet movements, first frames [N, 16] of objects alone, and which."""
    rng = np.random.default_rng(seed)
    made = np.random.default_rng(7)
    things, moves = made.normal(0, 1, (6, 24)), made.normal(0, 0.4, (5, 24))
    looks = made.normal(0, 1, (6, 16))
    thing, move = rng.integers(0, 6, count), rng.integers(0, 5, count)
    text = things[thing] + moves[move] + rng.normal(0, 0.05, (count, 24))
    frame = looks[thing] + rng.normal(0, 0.2, (count, 16))
    normed = [values / np.linalg.norm(values, axis=1, keepdims=True) for values in (text, frame)]
    return normed[0].astype(np.float32), normed[1].astype(np.float32), thing, move


def right(text: np.ndarray, labels: np.ndarray) -> float:
    """The share of nearest others with the same label."""
    likeness = text @ text.T
    np.fill_diagonal(likeness, -9)
    return float((labels[likeness.argsort(axis=1)[:, -5:]] == labels[:, None]).mean())


def test_without_looks_the_nearest_move_alike() -> None:
    text, frame, thing, move = world()
    part = fit_appearance(text, frame)
    whole, left = text - text.mean(0), part.removed(text)
    assert right(whole, thing) > 0.95
    assert right(left, move) > 0.9 and right(left, thing) < 0.75
    assert 0 < len(part.directions) < 8
    np.testing.assert_allclose(part.directions @ part.directions.T, np.eye(len(part.directions)), atol=1e-5)


def test_strength_goes_from_whole_captions_to_none_of_their_looks() -> None:
    text, frame, *_ = world()
    part = fit_appearance(text, frame)
    centred = text - text.mean(0)
    np.testing.assert_allclose(
        part.removed(text, 0.0), centred / np.linalg.norm(centred, axis=1, keepdims=True), atol=1e-5
    )
    assert np.abs(part.removed(text) @ part.directions.T).max() < 1e-4


@pytest.mark.parametrize("strength", [0.4, 1.0])
def test_an_index_of_whole_captions_can_be_asked(strength: float) -> None:
    """Ranked by the product with what `asked_for` gives, lengths apart, as by the captions without looks."""
    text, frame, *_ = world()
    part = fit_appearance(text, frame)
    query = part.removed(text[:1], strength)
    asked = part.asked_for(query, strength)[0]
    reduced = part._reduced(text - part.mean, strength)
    np.testing.assert_allclose(text @ asked - text[0] @ asked, (reduced - reduced[0]) @ query[0], atol=1e-4)


def test_first_frames_that_are_all_alike_foretell_nothing() -> None:
    text, *_ = world()
    part = fit_appearance(text, np.ones((len(text), 16), np.float32))
    assert len(part.directions) == 0


def test_too_few_captions() -> None:
    with pytest.raises(InvalidSetting, match=r"Expected at least 64 clips with captions .* received 10"):
        fit_appearance(np.ones((10, 4), np.float32), np.ones((10, 4), np.float32))
