import numpy as np

from training.evaluation.scores.figures import RowFigures
from training.evaluation.scores.scores import Scores
from training.evaluation.scores.targets import Target, check_targets
from training.evaluation.videos.timing import Timing

CLIPS = 40
TIMING = Timing(retrieval_sec=0.01, adaptation_sec=0.04, with_motion_sec=2.0, without_motion_sec=1.9)


def row(
    *, right: float, error: float, action: float, first_frame: float, shift: float, shape: float = 0.98,
    colour: float = 1.0, slope: float = 1.0,
) -> RowFigures:  # fmt: skip
    noise = np.random.default_rng(0).normal(0, 0.2, CLIPS)
    real = np.random.default_rng(1).normal(0, 1, (CLIPS, 4))
    of_clips = {
        "accuracy": np.where(np.arange(CLIPS) < right * CLIPS, 100.0, 0.0),
        "trajectory": error + noise,
        "action": action + noise,
        "first_frame": first_frame + noise,
        "shape_last": shape + noise / 100,
        "colour_last": colour + noise,
        "displacement": np.stack([np.full(CLIPS, slope), np.ones(CLIPS)], axis=1),
    }
    return RowFigures(Scores(of_clips, real=real, generated=real + shift))


def good_rows() -> dict[str, RowFigures]:
    good = {"first_frame": 30.0, "action": 90.0, "shift": 0.5}
    return {
        "base": row(right=0.1, error=9, action=40, first_frame=30.5, shift=1.0),
        "rag": row(right=0.9, error=1, **good),
        "codec": row(right=1, error=0.1, **good),
        "objects rag": row(right=0.9, error=1, **good),
        "mean": row(right=0.9, error=3, **good),
        "top-1": row(right=0.9, error=3, **good),
        "motions old": row(right=0.2, error=9, **good),
        "motions new": row(right=0.95, error=4, **good),
    }


def by_claim(rows: dict[str, RowFigures], timing: Timing | None = TIMING) -> dict[str, Target]:
    return {target.claim: target for target in check_targets(rows, timing)}


def test_every_target_of_good_rows_is_met() -> None:
    found = by_claim(good_rows())
    assert len(found) == 17
    assert all(target.met for target in found.values())


def test_each_target_is_missed_by_the_row_that_misses_it() -> None:
    good = {"right": 0.9, "error": 1, "action": 90, "first_frame": 30, "shift": 0.5}
    spoilt = {
        "motion right with retrieval": {"rag": row(**{**good, "right": 0.7})},
        "motion right without": {"base": row(**{**good, "right": 0.3, "action": 40, "shift": 1.0})},
        "trajectory error": {"rag": row(**{**good, "error": 1.4})},
        "displacement": {"rag": row(**good, slope=0.95)},
        "context transformer against mean": {"mean": row(**good)},
        "unseen motions right, extended database": {"motions new": row(**{**good, "right": 0.85})},
        "codec alone: shape": {"codec": row(**good, shape=0.95)},
        "codec alone: colour": {"codec": row(**good, colour=4)},
        "retrieved motion: shape": {"rag": row(**good, shape=0.8)},
        "retrieved motion: colour": {"rag": row(**good, colour=6)},
        "unseen objects": {"objects rag": row(**good, shape=0.8)},
        "Action Score": {"rag": row(**{**good, "action": 45})},
        "Frechet distance": {"rag": row(**{**good, "shift": 0.9})},
        "first frame": {"rag": row(**{**good, "first_frame": 29})},
    }
    for claim, changed in spoilt.items():
        found = by_claim({**good_rows(), **changed})
        assert next(target.claim for target in found.values() if not target.met).startswith(claim)


def test_nothing_right_is_not_twice_as_much_as_nothing() -> None:
    nothing = row(right=0.0, error=9, action=40, first_frame=30, shift=1.0)
    found = by_claim({"motions old": nothing, "motions new": nothing}, None)
    assert [target.met for target in found.values()] == [False, False]


def test_comparison_whose_interval_crosses_the_line_is_not_met() -> None:
    rows = good_rows()
    # A third of a pixel worse on average, but by chance: single clips differ by far more.
    scatter = np.random.default_rng(5).normal(0, 3, CLIPS)
    worse = rows["rag"].scores.of_clips["trajectory"] + 0.3 + scatter - scatter.mean()
    rows["mean"].scores.of_clips["trajectory"] = worse
    assert not by_claim(rows)["context transformer against mean"].met


def test_slow_adaptation_misses_its_target() -> None:
    slow = Timing(retrieval_sec=0.1, adaptation_sec=0.1, with_motion_sec=2.0, without_motion_sec=1.9)
    found = by_claim(good_rows(), slow)
    assert not found["retrieval and adaptation of the generation's time"].met


def test_rows_that_were_left_out_claim_nothing() -> None:
    assert list(by_claim({"codec": good_rows()["codec"]}, None)) == [
        "codec alone: shape IoU at the last frame",
        "codec alone: colour error at the last frame",
    ]
