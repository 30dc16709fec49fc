"""What retrieved motion costs: one video at a time, as a user waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median

from index_builder.database.search.reader import MotionDatabase
from motionrag_nodes.adapted_tokens.adapt import adapt_motion
from motionrag_nodes.backbones.settings import Settings
from motionrag_nodes.frames.generate import generate_video
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from motionrag_nodes.neighbours.retrieve import retrieve_neighbours
from training.evaluation.protocol.cases import Case
from training.evaluation.videos.loading import CPU, Machine


@dataclass(frozen=True)
class Timing:
    """Medians in seconds: of finding the neighbours, of adapting them, of a video with motion and of one without."""

    retrieval_sec: float
    adaptation_sec: float
    with_motion_sec: float
    without_motion_sec: float

    @property
    def motion_share(self) -> float:
        """Retrieval and adaptation as a part of the video's generation."""
        return (self.retrieval_sec + self.adaptation_sec) / self.with_motion_sec

    def as_dict(self) -> dict[str, float]:
        """JSON-ready."""
        return {**asdict(self), "motion_share": self.motion_share}


def measure_timing(
    cases: Sequence[Case],
    *,
    encoder: PackClipEncoder,
    database: MotionDatabase,
    settings: Settings,
    machine: Machine = CPU,
) -> Timing:
    """Each part in turn for each case; the first case warms up and does not count."""
    model = machine.load(encoder.pack)
    taken: dict[str, list[float]] = {"retrieval": [], "adaptation": [], "with": [], "without": []}

    def timed(name: str, work: Callable):
        began = time.perf_counter()
        done = work()
        taken[name].append(time.perf_counter() - began)
        return done

    for case in cases:
        picture = case.real(size=settings.width, frames=1)[0]
        seeded = replace(settings, seed=case.seed)

        def look_up(case: Case = case):
            return retrieve_neighbours(database, encoder=encoder, prompt=case.prompt)

        found = timed("retrieval", look_up)
        adapted = timed("adaptation", lambda f=found, p=picture: adapt_motion(encoder.pack, f, image=p))
        for name, motion in (("with", adapted), ("without", None)):
            timed(name, lambda m=motion, p=picture, s=seeded: generate_video(model, image=p, motion=m, settings=s))
    middle = {name: median(values[1:]) for name, values in taken.items()}
    return Timing(
        retrieval_sec=middle["retrieval"],
        adaptation_sec=middle["adaptation"],
        with_motion_sec=middle["with"],
        without_motion_sec=middle["without"],
    )
