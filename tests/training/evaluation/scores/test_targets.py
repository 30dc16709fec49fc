import numpy as np

from training.evaluation.scores.figures import RowFigures
from training.evaluation.scores.scores import Scores
from training.evaluation.scores.targets import Target, check_targets
from training.evaluation.videos.timing import Timing

CLIPS = 40
TIMING = Timing(retrieval_sec=0.01, adaptation_sec=0.04, with_motion_sec=2.0, without_motion_sec=1.9)


def row(*, right: float, error: float, action: float, first_frame: float, shift: float) -> RowFigures:
    noise = np.random.default_rng(0).normal(0, 0.2, CLIPS)
    real = np.random.default_rng(1).normal(0, 1, (CLIPS, 4))
    of_clips = {
        "accuracy": np.where(np.arange(CLIPS) < right * CLIPS, 100.0, 0.0),
        "trajectory": error + noise,
        "action": action + noise,
        "first_frame": first_frame + noise,
    }
    return RowFigures(Scores(of_clips, real=real, generated=real + shift))


def good_rows() -> dict[str, RowFigures]:
    good = {"first_frame": 30.0, "action": 90.0, "shift": 0.5}
    return {
        "base": row(right=0.1, error=9, action=40, first_frame=30.5, shift=1.0),
        "rag": row(right=0.9, error=2, **good),
        "mean": row(right=0.9, error=3, **good),
        "top-1": row(right=0.9, error=3, **good),
        "motions old": row(right=0.2, error=9, **good),
        "motions new": row(right=0.8, error=4, **good),
    }


def by_claim(rows: dict[str, RowFigures], timing: Timing | None = TIMING) -> dict[str, Target]:
    return {target.claim: target for target in check_targets(rows, timing)}


def test_every_target_of_good_rows_is_met() -> None:
    found = by_claim(good_rows())
    assert len(found) == 9
    assert all(target.met for target in found.values())


def test_each_target_is_missed_by_the_row_that_misses_it() -> None:
    base = row(right=0.1, error=9, action=40, first_frame=30.5, shift=1.0)
    spoilt = {
        "motion right with retrieval": {"rag": row(right=0.7, error=2, action=90, first_frame=30, shift=0.5)},
        "context transformer against mean": {"mean": row(right=0.9, error=2, action=90, first_frame=30, shift=0.5)},
        "unseen motions right, extended": {"motions new": base},
        "Action Score": {"rag": row(right=0.9, error=2, action=45, first_frame=30, shift=0.5)},
        "Frechet distance": {"rag": row(right=0.9, error=2, action=90, first_frame=30, shift=0.9)},
        "first frame": {"rag": row(right=0.9, error=2, action=90, first_frame=29, shift=0.5)},
    }
    for claim, changed in spoilt.items():
        found = by_claim({**good_rows(), **changed})
        assert next(target.claim for target in found.values() if not target.met).startswith(claim)


def test_nothing_right_is_not_twice_as_much_as_nothing() -> None:
    nothing = row(right=0.0, error=9, action=40, first_frame=30, shift=1.0)
    found = by_claim({"motions old": nothing, "motions new": nothing}, None)
    assert [target.met for target in found.values()] == [False]


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
    assert list(by_claim({"rag": good_rows()["rag"]}, None)) == ["motion right with retrieval"]
