"""One clip of the demo world: its specification, its pixels, its caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.demo_world.captions import write_caption
from training.demo_world.motions import ALL_MOTIONS, BACKWARDS, MOTIONS, UNSEEN_MOTIONS, Trajectory, random_trajectory
from training.demo_world.shapes import SHAPES

CLIP_SECONDS = 2.0
CLIP_FPS = 8.0
CLIP_FRAMES = 16

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (230, 50, 50),
    "orange": (245, 150, 40),
    "yellow": (245, 225, 70),
    "green": (70, 200, 80),
    "cyan": (70, 215, 225),
    "blue": (80, 120, 245),
    "pink": (245, 130, 200),
    "white": (240, 240, 240),
}
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "black": (14, 14, 16),
    "navy": (18, 26, 62),
    "dark green": (16, 48, 30),
    "maroon": (62, 18, 26),
    "grey": (66, 66, 70),
}
RADII = (0.13, 0.24)
# The law of this world: reach (frame widths) x radius (frame widths) is the same for all, within about 4 %.
REACH_TIMES_RADIUS = 0.046
# Never seen together in training: the unseen-object split.
UNSEEN_OBJECTS = (("pink", "star"), ("green", "heart"), ("white", "triangle"), ("orange", "ring"), ("cyan", "cross"))


@dataclass(frozen=True)
class ClipSpec:
    """Everything that decides a clip. `x`, `y` (frame widths, origin at the centre, y up) and `radius` are of t = 0.

    `backwards`: the sprite runs along its motion's path from the end, wherever it starts.
    """

    shape: str
    colour: str
    background: str
    motion: str | None
    x: float
    y: float
    radius: float
    reach: float
    trajectory_seed: int = 0
    backwards: bool = False

    def trajectory(self, frames: int = CLIP_FRAMES) -> Trajectory:
        """The path over `frames` moments; motion None is a random smooth one, drawn from `trajectory_seed`."""
        t = np.arange(frames) / frames
        if self.backwards:
            t = 1 - t
        if self.motion is None:
            path = random_trajectory(t, np.random.default_rng(self.trajectory_seed), reach=self.reach)
        else:
            path = ALL_MOTIONS[self.motion](t, self.reach)
        return path.from_first() if self.backwards else path

    @property
    def kind(self) -> str | None:
        """The motion that is seen."""
        return BACKWARDS.get(self.motion, self.motion) if self.backwards else self.motion

    def caption(self, rng: np.random.Generator) -> str:
        """A caption that names object and motion (the object alone where the motion has no name)."""
        return write_caption(
            shape=self.shape, colour=self.colour, background=self.background, motion=self.motion, rng=rng
        )


def draw_spec(
    rng: np.random.Generator, *, split: str = "train", motions: Sequence[str | None] | None = None
) -> ClipSpec:
    """Draw a clip of a split: "train", "unseen_object" or "unseen_motion".

    Place, size and object are drawn alike for every motion, so that the first frame says nothing of its kind. How far
    it goes follows from its size: small sprites travel farther, which references of other sizes do not show alone.
    """
    if motions is None:
        motions = tuple(UNSEEN_MOTIONS) if split == "unseen_motion" else tuple(MOTIONS)
    while True:
        colour, shape = str(rng.choice(list(COLOURS))), str(rng.choice(list(SHAPES)))
        if ((colour, shape) in UNSEEN_OBJECTS) == (split == "unseen_object"):
            break
    radius = float(rng.uniform(*RADII))
    return ClipSpec(
        shape=shape,
        colour=colour,
        background=str(rng.choice(list(BACKGROUNDS))),
        motion=motions[int(rng.integers(len(motions)))],
        x=float(rng.uniform(-0.12, 0.12)),
        y=float(rng.uniform(-0.12, 0.12)),
        radius=radius,
        reach=REACH_TIMES_RADIUS / radius * float(np.exp(rng.normal(0, 0.04))),
        trajectory_seed=int(rng.integers(2**31)),
    )


def render_clip(spec: ClipSpec, *, size: int, frames: int = CLIP_FRAMES) -> np.ndarray:
    """Pixels of a clip: uint8 RGB [frames, size, size, 3], edges antialiased over one pixel."""
    path = spec.trajectory(frames)
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    columns = lambda values: np.asarray(values, dtype=np.float32)[:, None, None]  # noqa: E731  [T] -> [T, 1, 1]
    x = axis[None, None, :] - columns(spec.x + path.dx)  # [T, H, W]
    y = -axis[None, :, None] - columns(spec.y + path.dy)
    cos, sin, radius = columns(np.cos(path.angle)), columns(np.sin(path.angle)), columns(spec.radius * path.scale)
    inside = SHAPES[spec.shape]((x * cos + y * sin) / radius, (y * cos - x * sin) / radius)
    coverage = np.clip(0.5 - inside * radius * size, 0, 1)[..., None]
    ink, paper = (np.array(c, dtype=np.float32) for c in (COLOURS[spec.colour], BACKGROUNDS[spec.background]))
    return np.round(paper + coverage * (ink - paper)).astype(np.uint8)
