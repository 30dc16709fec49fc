"""The clips that are generated: a picture, a prompt, a seed, and how the picture really moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from training.demo_world.motions import MOTIONS, UNSEEN_MOTIONS
from training.demo_world.world import CLIP_FRAMES, ClipSpec, draw_spec, render_clip

# Far from the seeds of training, of the judge and of the demo.
EVALUATION_SEED = 910_001
BACKWARDS = "backwards"
# What is evaluated -> the world's split and the kinds of motion that come in turn.
CASE_SETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "seen": ("train", tuple(MOTIONS)),
    "unseen objects": ("unseen_object", tuple(MOTIONS)),
    "unseen motions": ("unseen_motion", tuple(UNSEEN_MOTIONS)),
    # Their motions run from the end; a caption still names the motion whose clips are played backwards.
    BACKWARDS: ("train", tuple(MOTIONS)),
}


@dataclass(frozen=True)
class Case:
    """One clip of a set. `number` counts within the set, `seed` is the noise's."""

    number: int
    spec: ClipSpec
    prompt: str
    seed: int

    def real(self, *, size: int, frames: int = CLIP_FRAMES) -> np.ndarray:
        """The true clip, uint8 RGB [frames, size, size, 3]; the first frame is the picture that is animated."""
        return render_clip(self.spec, size=size, frames=frames)


def draw_cases(name: str, count: int) -> Sequence[Case]:
    """The first `count` cases of a set: every motion kind in turn, the same whatever the count."""
    split, kinds = CASE_SETS[name]
    place = list(CASE_SETS).index(name)
    cases = []
    for number in range(count):
        rng = np.random.default_rng([EVALUATION_SEED, place, number])
        spec = draw_spec(rng, split=split, motions=[kinds[number % len(kinds)]])
        spec = replace(spec, backwards=name == BACKWARDS)
        cases.append(Case(number=number, spec=spec, prompt=spec.caption(rng), seed=int(rng.integers(2**31))))
    return cases
