"""A long video of a storyboard: each part moves as its own clips do, and goes on from the last frame of the one before.

A model makes a fixed number of frames at once. A part that is longer is made in several runs, one that is shorter is
cut; each run starts from the last frame so far, which its own first frame repeats and which is therefore left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch

from index_builder.errors import InvalidSetting
from motionrag_nodes.adapted_tokens.adapt import AdaptingModels, adapt_motion
from motionrag_nodes.adapted_tokens.fusions import DEFAULT_FUSION
from motionrag_nodes.backbones.settings import Settings, facts_of
from motionrag_nodes.frames.generate import generate_video
from motionrag_nodes.frames.known_runs import KnownRuns
from motionrag_nodes.frames.seams import Seam, seams_of
from motionrag_nodes.frames.storyboard import Part, frames_of
from motionrag_nodes.frames.video_model import VideoModel
from motionrag_nodes.neighbours.labels import name_of
from motionrag_nodes.neighbours.neighbours import Neighbours

_PROMPT = "prompt"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the model: for which part, and how many new frames of it are kept."""

    part: int
    kept: int


@dataclass(frozen=True, eq=False, kw_only=True)
class StoryboardVideo:
    """frames: float32 RGB [T, H, W, 3] in [0, 1] at `fps`; the clips found for each part, and the runs in order."""

    parts: tuple[Part, ...]
    found: tuple[Neighbours, ...]
    runs: tuple[Run, ...]
    frames: torch.Tensor
    fps: int

    def pixels(self) -> np.ndarray:
        """The frames as uint8 RGB [T, H, W, 3]."""
        return _pixels(self.frames)

    def part_begins(self) -> list[int]:
        """The first frame of each part."""
        return _begins(sum(run.kept for run in runs) for _, runs in groupby(self.runs, key=lambda run: run.part))

    def part_seams(self) -> list[Seam]:
        """Where parts meet."""
        return seams_of(self.pixels(), self.part_begins())


def plan_runs(parts: Sequence[Part], settings: Settings) -> list[Run]:
    """The runs that make these parts, in order; the first one keeps the picture as well. A single frame that would need
    a run of its own is left out.

    Raises InvalidSetting where a run makes a single frame, from which nothing goes on.
    """
    if settings.frames < 2:
        raise InvalidSetting(f"Expected runs of at least 2 frames, received {settings.frames}: raise frame_count.")
    runs: list[Run] = []
    for part, wanted in enumerate(frames_of(parts, fps=settings.fps)):
        while wanted > (1 if runs and runs[-1].part == part else 0):
            kept = min(wanted, settings.frames - (1 if runs else 0))
            runs.append(Run(part=part, kept=kept))
            wanted -= kept
    return runs


def storyboard_video(
    model: VideoModel,
    pack: AdaptingModels,
    *,
    image: np.ndarray,
    parts: Sequence[Part],
    found: Sequence[Neighbours],
    settings: Settings,
    strength: float = 1.0,
    fusion: str = DEFAULT_FUSION,
    show_picture: bool = False,
    known: KnownRuns | None = None,
    on_step: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> StoryboardVideo:
    """The video of `parts` that starts from `image`, uint8 RGB [H, W, 3]; `found` are the clips for each part.

    Before each run their motion is adapted to the picture that it starts from. Every run has noise of its own (the
    seed counts up), and the part's prompt where the model reads one. show_picture: the first frame is the picture
    itself. known: runs that need not be made again. on_step counts the steps of all runs. Raises what `plan_runs`,
    `adapt_motion` and `generate_video` raise.
    """
    runs = plan_runs(parts, settings)
    generate = generate_video if known is None else known.generate
    pieces: list[torch.Tensor] = []
    picture = image
    for number, run in enumerate(runs):
        asked, tell = _settings_of(parts[run.part], settings, number), _of_all_runs(on_step, number, len(runs))
        video = generate(
            model,
            image=picture,
            motion=adapt_motion(pack, found[run.part], image=picture, fusion=fusion),
            settings=asked,
            strength=strength,
            on_step=tell,
            should_stop=should_stop,
        )
        tell(asked.steps, asked.steps)
        if not pieces and show_picture:
            video = video.starting_with(picture)
        first = 1 if pieces else 0
        pieces.append(video.frames[first : first + run.kept])
        picture = _pixels(pieces[-1][-1:])[0]
    return StoryboardVideo(
        parts=tuple(parts), found=tuple(found), runs=tuple(runs), frames=torch.cat(pieces), fps=settings.fps
    )


def described(video: StoryboardVideo) -> str:
    """A line for each part: its seconds and words, the best clip, and the seam before it."""
    begins = video.part_begins()
    seams = [None, *video.part_seams()]
    lines = []
    for part, neighbours, begin, seam in zip(video.parts, video.found, begins, seams, strict=True):
        best = neighbours.items[0]
        met = "" if seam is None else f"; seam {seam.jump:.1f} of 255, within {seam.within:.1f}"
        lines.append(
            f"{begin / video.fps:.2f} s: {part.prompt} (#1: {best.caption or name_of(best)}, {best.score:.3f}{met})"
        )
    return "\n".join(lines)


def _of_all_runs(on_step: Progress | None, number: int, runs: int) -> Progress:
    """Hears the steps of one run, and counts them among those of all."""

    def tell(done: int, total: int) -> None:
        if on_step is not None:
            on_step(number * total + done, runs * total)

    return tell


def _settings_of(part: Part, settings: Settings, number: int) -> Settings:
    changed = replace(settings, seed=settings.seed + number)
    return changed.changed(prompt=part.prompt) if _PROMPT in facts_of(type(settings)) else changed


def _begins(counts: Iterator[int] | Sequence[int]) -> list[int]:
    begins = [0]
    for count in counts:
        begins.append(begins[-1] + count)
    return begins[:-1]


def _pixels(frames: torch.Tensor) -> np.ndarray:
    pixels: np.ndarray = (frames.clamp(0, 1) * 255).round().byte().numpy()
    return pixels
