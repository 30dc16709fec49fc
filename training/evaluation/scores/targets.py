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

    claim("motion right with retrieval", "at least 80 %", ("rag",), lambda: rows["rag"].estimate("accuracy"),
          lambda e: e.value >= 80, " %")  # fmt: skip
    claim(f"motion right without, chance is {CHANCE:.1f} %", f"at most {2 * CHANCE:.0f} %", ("base",),
          lambda: rows["base"].estimate("accuracy"), lambda e: e.value <= 2 * CHANCE, " %")  # fmt: skip
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
