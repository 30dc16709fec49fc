"""The same picture and noise under several motions: what if it moved like that?

Only the motion differs between the videos, so that what differs in them is its effect (as the counterfactual samples of
Causal Diffusion Autoencoders, Komanduri et al. 2024, keep the noise and change one cause).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from index_builder.errors import InvalidSetting
from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
from motionrag_nodes.backbones.settings import Settings
from motionrag_nodes.errors import ShapeMismatch
from motionrag_nodes.frames.generate import generate_video
from motionrag_nodes.frames.video_model import VideoModel

MAX_WAYS = 16
Step = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to move: a title for people, a note (whose motion it is), the motion (None: the plain model) and its
    strength."""

    title: str
    note: str = ""
    motion: AdaptedMotion | None = None
    strength: float = 1.0


@dataclass(frozen=True, eq=False)
class Compared:
    """videos: uint8 RGB [N, T, H, W, 3], one for each way, all of the same picture and noise."""

    ways: tuple[Way, ...]
    videos: np.ndarray
    fps: int

    def __post_init__(self) -> None:
        if self.videos.ndim != 5 or len(self.videos) != len(self.ways) or self.videos.dtype != np.uint8:
            raise ShapeMismatch(
                f"Expected videos uint8 [N, T, H, W, 3] of {len(self.ways)} ways, received {self.videos.dtype} "
                f"{self.videos.shape}: make them with compare_motions."
            )

    def effects(self) -> list[float]:
        """How far each video is from the first: mean absolute difference of pixels, in levels of 255."""
        first = self.videos[0].astype(np.float32)
        return [float(np.abs(video.astype(np.float32) - first).mean()) for video in self.videos]


def ways_of(
    *,
    plain: bool,
    own: AdaptedMotion,
    strengths: Sequence[float],
    own_note: str = "",
    other: AdaptedMotion | None = None,
    other_note: str = "",
    backwards: AdaptedMotion | None = None,
) -> list[Way]:
    """The ways in the order in which they are shown: no motion, the own at each strength, backwards, another."""
    found = [Way(title="no motion")] if plain else []
    for strength in strengths:
        title = "as found" if len(strengths) == 1 and strength == 1 else f"as found × {strength:g}"
        found.append(Way(title=title, note=own_note, motion=own, strength=strength))
    if backwards is not None:
        found.append(Way(title="played backwards", note=own_note, motion=backwards))
    if other is not None:
        found.append(Way(title="what if", note=other_note, motion=other))
    return found


def compare_motions(
    model: VideoModel,
    *,
    image: np.ndarray,
    ways: Sequence[Way],
    settings: Settings,
    on_step: Step | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Compared:
    """Generates `image` (uint8 RGB [H, W, 3]) once for each way, with one seed. `on_step` counts the steps of all.

    Raises InvalidSetting without a way or with too many, and what `generate_video` raises.
    """
    if not 1 <= len(ways) <= MAX_WAYS:
        raise InvalidSetting(
            f"Expected 1 to {MAX_WAYS} videos to compare, received {len(ways)}: choose fewer strengths."
        )
    made = []
    for place, way in enumerate(ways):

        def tell(done: int, total: int, place: int = place) -> None:
            if on_step is not None:
                on_step(place * total + done, len(ways) * total)

        video = generate_video(
            model,
            image=image,
            motion=way.motion,
            settings=settings,
            strength=way.strength,
            on_step=tell,
            should_stop=should_stop,
        )
        made.append((video.frames.clamp(0, 1) * 255).round().byte().numpy())
    return Compared(tuple(ways), np.stack(made), settings.fps)


def described(compared: Compared) -> str:
    """A line for each video: its title, how far it is from the first, and whose motion it is."""
    first = compared.ways[0].title
    return "\n".join(
        f"{way.title}: {effect:.1f} of 255 from {first!r}{f'; {way.note}' if way.note else ''}"
        for way, effect in zip(compared.ways, compared.effects(), strict=True)
    )
