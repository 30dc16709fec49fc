"""What the small system is meant to reach, and whether the measured rows do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from training.demo_world.motions import MOTIONS
from training.evaluation.scores.bootstrap import Estimate
from training.evaluation.scores.figures import RowFigures, difference, relative_change
from training.evaluation.videos.timing import Timing

CHANCE = 100 / len(MOTIONS)


@dataclass(frozen=True)
class Limit:
    """What one figure of one row is to reach: at least `least`, or at most `most`."""

    claim: str
    row: str
    metric: str
    least: float | None = None
    most: float | None = None
    unit: str = ""

    @property
    def wanted(self) -> str:
        """For people."""
        return f"at most {self.most:g}{self.unit}" if self.least is None else f"at least {self.least:g}{self.unit}"

    def met(self, value: float) -> bool:
        """Whether the figure is within the limit."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


LIMITS = (
    Limit("motion right with retrieval", "rag", "accuracy", least=80, unit=" %"),
    Limit(f"motion right without, chance is {CHANCE:.1f} %", "base", "accuracy", most=2 * CHANCE, unit=" %"),
    Limit("trajectory error with retrieval", "rag", "trajectory", most=1.2, unit=" px"),
    Limit("displacement with retrieval, slope", "rag", "displacement", least=0.97),
    Limit("unseen motions right, extended database", "motions new", "accuracy", least=90, unit=" %"),
    Limit("references played backwards: order in time right", "backwards", "order", least=95, unit=" %"),
    Limit("order in time right by motion tokens alone", "backwards", "order_found", least=95, unit=" %"),
    Limit("codec alone: shape IoU at the last frame", "codec", "shape_last", least=0.97),
    Limit("codec alone: colour error at the last frame", "codec", "colour_last", most=3),
    Limit("retrieved motion: shape IoU at the last frame", "rag", "shape_last", least=0.9),
    Limit("retrieved motion: colour error at the last frame", "rag", "colour_last", most=5),
    Limit("unseen objects: shape IoU at the last frame", "objects rag", "shape_last", least=0.85),
)


@dataclass(frozen=True)
class Target:
    """One claim: what is wanted, what was measured, and whether that is enough. low and high: 95 % interval."""

    claim: str
    wanted: str
    measured: str
    met: bool
    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def check_targets(rows: Mapping[str, RowFigures], timing: Timing | None) -> list[Target]:
    """Every claim whose rows were measured. Shares are judged by their value; a comparison of two rows is met only
    where its whole interval is on the right side."""
    targets = []

    def claim(text: str, wanted: str, needs: tuple[str, ...], measure: Callable[[], Estimate], met, unit: str) -> None:
        if all(name in rows for name in needs):
            found = measure()
            told = f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}]{unit}"
            targets.append(Target(text, wanted, told, bool(met(found)), found.value, found.low, found.high))

    for limit in LIMITS:
        if limit.row in rows and limit.metric in rows[limit.row].metrics:
            claim(limit.claim, limit.wanted, (limit.row,),
                  lambda limit=limit: rows[limit.row].estimate(limit.metric),
                  lambda e, limit=limit: limit.met(e.value), limit.unit)  # fmt: skip
    for where, prefix in (("", ""), (" where captions are wrong", "noisy ")):
        for other in ("mean", "top-1"):
            names = (f"{prefix}rag", f"{prefix}{other}")
            claim(f"context transformer against {other}{where}", "smaller trajectory error", names,
                  lambda names=names: difference("trajectory", rows[names[0]], rows[names[1]]),
                  lambda e: e.high < 0, " px")  # fmt: skip
    claim("unseen motions right, extended database minus twice the old one", "at least 0",
          ("motions new", "motions old"),
          lambda: difference("accuracy", rows["motions new"], rows["motions old"], times=2),
          lambda e: e.low >= 0 and rows["motions new"].estimate("accuracy").value > 0, " %")  # fmt: skip
    claim("Action Score against the base", "at least +16 %", ("rag", "base"),
          lambda: relative_change("action", rows["rag"], rows["base"]), lambda e: e.low >= 16, " %")  # fmt: skip
    claim("Frechet distance against the base", "at most -22 %", ("rag", "base"),
          lambda: relative_change("frechet", rows["rag"], rows["base"]), lambda e: e.high <= -22, " %")  # fmt: skip
    claim("first frame against the base", "at least -1 dB", ("rag", "base"),
          lambda: difference("first_frame", rows["rag"], rows["base"]), lambda e: e.low >= -1, " dB")  # fmt: skip
    if timing is not None:
        share = 100 * timing.motion_share
        told = f"{share:.2f} % of {timing.with_motion_sec:.2f} s"
        targets.append(Target("retrieval and adaptation of the generation's time", "under 5 %", told, share < 5,
                              share, share, share))  # fmt: skip
    return targets
