"""`python -m training.evaluation.start_end`: what a video loses where motion enters in a part of the steps alone.

The target's own motion enters throughout, and then from or until a quarter, half or three quarters of the steps, from
the same noise. Every video is compared with the one whose motion enters throughout.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from index_builder.errors import MotionRAGError
from motionrag_nodes.checkpoints.pack import MotionPack, load_pack
from motionrag_nodes.frames.video_model import load_video_model
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.evaluation.evaluate import FEWEST_CLIPS
from training.evaluation.protocol.cases import draw_cases
from training.evaluation.scores.classifier import KINDS, load_classifier, motion_logits
from training.evaluation.videos.batched import generate_videos

THROUGHOUT, NEVER = (0.0, 1.0), (0.0, 0.0)
PARTS = (THROUGHOUT, (0.25, 1.0), (0.5, 1.0), (0.75, 1.0), (0.0, 0.75), (0.0, 0.5), (0.0, 0.25), NEVER)


@dataclass(frozen=True, kw_only=True)
class Line:
    """Motion from `start` to `end`: the mean difference to motion throughout, in levels of 255, and the share of videos
    that move as asked."""

    start: float
    end: float
    difference: float
    motion_right: float


def measure(pack: MotionPack, *, clips: int, steps: int) -> list[Line]:
    """A line for each of PARTS. Raises as `load_video_model`."""
    model, encoder, judge = load_video_model(None, pack=pack), PackClipEncoder(pack), load_classifier()
    settings, cases = replace(model.defaults, steps=steps), draw_cases("seen", clips)
    reals = [case.real(size=settings.width) for case in cases]
    motion = encoder.motion_tokens(reals).clone(), encoder.zero_clip_tokens().clone()
    throughout, lines = None, []
    for start, end in track(PARTS, description="generating", transient=True):
        videos = generate_videos(
            model,
            pictures=[clip[0] for clip in reals],
            motion=motion,
            settings=settings,
            seeds=[case.seed for case in cases],
            start=start,
            end=end,
        )
        throughout = videos if throughout is None else throughout
        named = motion_logits(judge, videos).argmax(1)
        right = [KINDS[kind] == case.spec.kind for kind, case in zip(named, cases, strict=True)]
        difference = float(np.abs(videos.astype(int) - throughout).mean())
        lines.append(Line(start=start, end=end, difference=difference, motion_right=float(np.mean(right))))
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.start_end", description=__doc__)
    parser.add_argument("--pack", default="tiny", help="a pack's name or folder (default tiny)")
    parser.add_argument("--clips", type=int, default=32, help="videos a line (default 32)")
    parser.add_argument("--steps", type=int, default=20, help="denoising steps (default 20)")
    arguments = parser.parse_args()
    if arguments.clips < FEWEST_CLIPS:
        parser.error(f"Expected at least {FEWEST_CLIPS} clips, received {arguments.clips}: fewer measure nothing.")
    try:
        lines = measure(load_pack(arguments.pack), clips=arguments.clips, steps=arguments.steps)
    except MotionRAGError as error:
        parser.error(str(error))
    table = Table("start", "end", "differs from motion throughout, levels of 255", "motion right")
    for line in lines:
        table.add_row(f"{line.start:g}", f"{line.end:g}", f"{line.difference:.2f}", f"{100 * line.motion_right:.0f} %")
    Console().print(table)


if __name__ == "__main__":
    main()
