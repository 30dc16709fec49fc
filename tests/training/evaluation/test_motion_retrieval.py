"""How often what is found moves as asked: counted right, and of more things without looks."""

from __future__ import annotations

import numpy as np
import pytest

from training.demo_world.world import ClipSpec
from training.evaluation.motion_retrieval import measure, shares_of


def spec(colour: str, motion: str) -> ClipSpec:
    return ClipSpec(shape="star", colour=colour, background="navy", motion=motion, x=0.0, y=0.0, radius=0.2, reach=0.2)


def test_what_is_counted() -> None:
    clips = [spec("red", "left"), spec("red", "up"), spec("blue", "left"), spec("blue", "up")]
    stored = np.eye(4, dtype=np.float32)
    asked = np.array([[0.9, 0.8, 0.7, 0.0]], np.float32)  # finds the first three
    shares = shares_of(asked, stored, [spec("red", "left")], clips, top_k=3)
    assert shares.motion == pytest.approx(2 / 3) and shares.same_object == pytest.approx(2 / 3)
    assert (shares.motion_of_others, shares.others) == (1.0, 1)


def test_without_looks_other_things_that_move_so_are_found() -> None:
    rng = np.random.default_rng(0)
    colours, motions = ("red", "blue", "green", "white"), ("left", "up", "grow")
    specs = [spec(str(rng.choice(colours)), str(rng.choice(motions))) for _ in range(300)]
    loud, quiet = rng.normal(0, 1, (4, 16)), rng.normal(0, 0.15, (3, 16))

    def encode(captions) -> np.ndarray:
        pairs = [caption.split() for caption in captions]
        text = np.stack([loud[colours.index(c)] + quiet[motions.index(m)] for c, m in pairs])
        text += rng.normal(0, 0.1, text.shape)
        return (text / np.linalg.norm(text, axis=1, keepdims=True)).astype(np.float32)

    frames = np.eye(4, dtype=np.float32)[[colours.index(s.colour) for s in specs]]
    captions = [f"{s.colour} {s.motion}" for s in specs]
    whole, without = measure(encode, frames, specs, captions, clips=200)
    assert whole.same_object > 0.95 and without.same_object < 0.5
    assert without.motion > 0.95 and without.motion_of_others > 0.95
