"""An evaluation that is small enough for the tests: a few figures that fall when a part of the chain is broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from index_builder.database.search.reader import MotionDatabase
from motionrag_nodes.adapted_tokens.adapt import adapt_motion
from motionrag_nodes.backbones.settings import Settings
from motionrag_nodes.checkpoints.pack import MotionPack
from motionrag_nodes.frames.video_model import VideoModel
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from motionrag_nodes.neighbours.neighbours import Neighbours
from training.evaluation.protocol.cases import Case, draw_cases
from training.evaluation.protocol.references import find_neighbours, row_tokens
from training.evaluation.protocol.rows import ROWS
from training.evaluation.scores.judge import Judge
from training.evaluation.scores.scores import score_row
from training.evaluation.videos.batched import generate_videos

# Two videos of each motion; adapting without a video is quick, and its errors spread more.
VIDEOS, ADAPTED = 16, 24
STEPS = 10
BATCH = 4
# So few that a prompt's nine neighbours end with clips of other motions: the order then says which to believe.
CLIPS_PER_MOTION = 6
RAG = next(row for row in ROWS if row.name == "rag")


@dataclass(frozen=True)
class Chain:
    """Everything between a prompt and a video."""

    pack: MotionPack
    model: VideoModel
    judge: Judge
    database: MotionDatabase

    @property
    def encoder(self) -> PackClipEncoder:
        """The pack's encoders."""
        return PackClipEncoder(self.pack)

    @property
    def settings(self) -> Settings:
        """The pack's, with fewer steps."""
        return replace(self.pack.config.generation, steps=STEPS)


def measure_videos(chain: Chain, *, clips: int = VIDEOS) -> dict[str, float]:
    """accuracy (%), action, trajectory (px), first_frame (dB): means over videos with retrieved motion."""
    cases, settings = draw_cases("seen", clips), chain.settings
    size = settings.width
    tokens = row_tokens(RAG, cases, encoder=chain.encoder, databases={RAG.database: chain.database}, size=size)
    unconditional = chain.encoder.zero_clip_tokens().clone()
    generated: list[np.ndarray] = []
    for start in range(0, clips, BATCH):
        part = slice(start, start + BATCH)
        generated += list(
            generate_videos(
                chain.model,
                pictures=[case.real(size=size, frames=1)[0] for case in cases[part]],
                motion=(tokens[part], unconditional),
                settings=settings,
                seeds=[case.seed for case in cases[part]],
            )
        )
    real = [case.real(size=size, frames=settings.frames) for case in cases]
    scores = score_row(chain.judge, cases, real=real, generated=generated, seconds=np.zeros(clips))
    return {name: float(scores.of_clips[name].mean()) for name in ("accuracy", "action", "trajectory", "first_frame")}


@torch.inference_mode()
def measure_order(chain: Chain, *, clips: int = ADAPTED) -> dict[str, float]:
    """order_gain: how much nearer, in %, the adapted tokens are to the target's own than with the order reversed."""
    cases = draw_cases("seen", clips)
    errors = np.array([_errors_by_order(chain, case) for case in cases]).mean(0)
    return {"order_gain": float(100 * (1 - errors[0] / errors[1]))}


def _errors_by_order(chain: Chain, case: Case) -> Sequence[float]:
    """Squared errors of the adapted tokens: neighbours in their order, and in the opposite one."""
    clip = case.real(size=chain.settings.width)
    own = chain.encoder.motion_tokens([clip])
    found = find_neighbours(RAG, case, encoder=chain.encoder, database=chain.database)
    errors = []
    for neighbours in (found, reversed_order(found)):
        adapted = adapt_motion(chain.pack, neighbours, image=clip[0]).tokens
        errors.append(float(((adapted - own) ** 2).mean()))
    return errors


def reversed_order(neighbours: Neighbours) -> Neighbours:
    """The least similar first."""
    return replace(
        neighbours,
        items=neighbours.items[::-1],
        motion_tokens=neighbours.motion_tokens.flip(0),
        appearance_tokens=neighbours.appearance_tokens.flip(0),
    )
