"""The figures of a row: one of each kind a clip, which bootstrap and pairing need, and the features of all clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.demo_world.world import render_clip
from training.evaluation.protocol.cases import Case
from training.evaluation.scores.amplitude import displacement_products, size_products
from training.evaluation.scores.classifier import KINDS
from training.evaluation.scores.judge import Judge
from training.evaluation.scores.order import order_right, run_from_the_end
from training.evaluation.scores.shape import compare_sprites
from training.evaluation.scores.tracking import Track, track_sprite, trajectory_error

About = Literal["video", "motion", "sprite"]


@dataclass(frozen=True)
class Metric:
    """A column; `short` is its title where there is little room, `about` the table that it stands in.

    `better` is +1 where more is better, -1 where less is, and 0 where 1 is right.
    """

    name: str
    title: str
    short: str
    better: int
    digits: int
    about: About = "video"


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "motion right, %", "motion right %", +1, 1),
        Metric("trajectory", "trajectory error, px", "path error px", -1, 2),
        Metric("action", "Action Score", "Action Score", +1, 1),
        Metric("frechet", "Frechet distance", "Frechet", -1, 2),
        Metric("appearance", "appearance score", "looks score", +1, 1),
        Metric("first_frame", "first frame, dB", "first frame dB", +1, 1),
        Metric("seconds", "seconds a video", "sec", -1, 2),
        Metric("displacement", "displacement, slope", "path slope", 0, 2, "motion"),
        Metric("size", "size change, slope", "size slope", 0, 2, "motion"),
        Metric("order", "order in time right, %", "order right %", +1, 1, "motion"),
        Metric("order_found", "order in time retrieved, %", "order found %", +1, 1, "motion"),
        Metric("shape_first", "shape IoU, first frame", "first IoU", +1, 3, "sprite"),
        Metric("shape_middle", "shape IoU, middle frame", "mid IoU", +1, 3, "sprite"),
        Metric("shape_last", "shape IoU, last frame", "last IoU", +1, 3, "sprite"),
        Metric("colour_first", "colour error, first frame", "first colour", -1, 1, "sprite"),
        Metric("colour_middle", "colour error, middle frame", "mid colour", -1, 1, "sprite"),
        Metric("colour_last", "colour error, last frame", "last colour", -1, 1, "sprite"),
    )
}


@dataclass(frozen=True)
class Scores:
    """of_clips: metric -> [N], NaN where a clip cannot be judged, or [N, 2], whose sums over the clips are divided.

    real and generated: motion features [N, C], from which the Frechet distance comes.
    """

    of_clips: dict[str, np.ndarray]
    real: np.ndarray
    generated: np.ndarray

    @property
    def count(self) -> int:
        """Clips N."""
        return len(self.real)


def compare_clips(judge: Judge, *, real: Sequence[np.ndarray], generated: Sequence[np.ndarray]) -> Scores:
    """What two lists of clips uint8 RGB [T, H, W, 3], pair by pair of one shape, say without knowing the truth."""
    of_clips = {
        "action": 100 * cosine(judge.logits(real), judge.logits(generated)),
        "appearance": 100 * cosine(judge.appearance(real), judge.appearance(generated)).mean(1),
        "first_frame": np.array([psnr(a[0], b[0]) for a, b in zip(real, generated, strict=True)]),
    }
    return Scores(of_clips, real=judge.motion_features(real), generated=judge.motion_features(generated))


def score_row(
    judge: Judge, cases: Sequence[Case], *, real: Sequence[np.ndarray], generated: Sequence[np.ndarray],
    seconds: Sequence[float],
) -> Scores:  # fmt: skip
    """All figures of a row of the demo world, where the truth of every clip is known."""
    scores = compare_clips(judge, real=real, generated=generated)
    tracks = [
        (track_sprite(made, case.spec), track_sprite(true, case.spec))
        for case, true, made in zip(cases, real, generated, strict=True)
    ]
    opposite = [_opposite(case, true) for case, true in zip(cases, real, strict=True)]
    known = {
        "trajectory": np.array([trajectory_error(*pair) for pair in tracks]),
        "displacement": np.array([displacement_products(*pair) for pair in tracks]),
        "size": np.array([size_products(*pair) for pair in tracks]),
        "order": np.array([order_right(*pair, other) for pair, other in zip(tracks, opposite, strict=True)]),
        "seconds": np.array(seconds),
        **sprite_scores(real=real, generated=generated),
    }
    if judge.knows_demo_world:
        named = judge.logits(generated).argmax(1)
        known["accuracy"] = 100.0 * (named == [KINDS.index(case.spec.kind) for case in cases])
    return Scores({**scores.of_clips, **known}, real=scores.real, generated=scores.generated)


def _opposite(case: Case, real: np.ndarray) -> Track:
    """The track of a case's sprite, run along its path from the end, in frames as the real clip's [T, H, W, 3]."""
    spec = run_from_the_end(case.spec)
    return track_sprite(render_clip(spec, size=real.shape[1], frames=len(real)), spec)


def sprite_scores(*, real: Sequence[np.ndarray], generated: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Shape and colour [N] at the first, middle and last frame of clips uint8 RGB [T, H, W, 3], pair by pair."""
    moments = {"first": 0, "middle": len(real[0]) // 2, "last": -1}
    found: dict[str, np.ndarray] = {}
    for name, moment in moments.items():
        likeness = [compare_sprites(made[moment], true[moment]) for true, made in zip(real, generated, strict=True)]
        found[f"shape_{name}"] = np.array([one.overlap for one in likeness])
        found[f"colour_{name}"] = np.array([one.colour for one in likeness])
    return found


def cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[..., C] and [..., C] -> [...], in [-1, 1]."""
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return (first * second).sum(-1) / np.maximum(lengths, 1e-12)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8 pictures in dB, at most that of one grey level off everywhere."""
    squared = ((first.astype(np.float64) - second) ** 2).mean() / 255**2
    return float(-10 * np.log10(max(squared, 1 / 255**2)))
