"""Calibrating a pack: its own adaptation, held against the true motion of a database's clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from motionrag_nodes.adapted_tokens.calibration import FEWEST_CLIPS, CalibrationFit, fit_calibration
from motionrag_nodes.errors import CalibrationInvalid
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from motionrag_nodes.neighbours.retrieve import retrieve_neighbours
from motionrag_nodes.neighbours.tokens_of_rows import tokens_of_rows

if TYPE_CHECKING:
    from index_builder.database.format.rows import ClipRow
    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.adapted_tokens.adapt import AdaptingModels

SEED = 940_001


@torch.inference_mode()
def calibrate(
    pack: AdaptingModels,
    database: MotionDatabase,
    *,
    clips: int = 256,
    on_clip: Callable[[int, int], None] = lambda done, total: None,
) -> CalibrationFit:
    """Fit a calibration on up to `clips` captioned clips of a database, drawn at random but always the same.

    Each in turn stands for a picture to animate: its caption is the prompt, its first frame the picture, clips of other
    videos its references, and its own motion is what adaptation should have said. Whether the pack is calibrated
    already makes no difference.

    Raises CalibrationInvalid: too few clips with captions, or the fit says nothing. DatabaseMismatch: the database's
    captions were encoded differently from how the pack does it.
    """
    rows = _drawn(database, clips)
    encoder = PackClipEncoder(pack)
    own = tokens_of_rows(database, rows, encoder=encoder)
    rows = [row for row in rows if row.id in own.ids]
    adapted = []
    for number, row in enumerate(rows):
        found = retrieve_neighbours(
            database, encoder=encoder, prompt=row.caption, top_k=pack.config.references, exclude=[row.source]
        )
        sequence = (found.motion_tokens[None], found.appearance_tokens[None], own.appearance[number : number + 1])
        adapted.append(pack.context_transformer.adapt(*(tokens.to(pack.device) for tokens in sequence)).cpu())
        on_clip(number + 1, len(rows))
    with torch.inference_mode(False):
        return fit_calibration(torch.cat(adapted).clone(), own.motion.clone())


def _drawn(database: MotionDatabase, clips: int) -> Sequence[ClipRow]:
    """Rows that have a caption, at most `clips` of them."""
    captioned = [row_id for row_id, caption in database.each_row("id", "caption") if caption and caption.strip()]
    if len(captioned) < FEWEST_CLIPS:
        raise CalibrationInvalid(
            f"Expected at least {FEWEST_CLIPS} clips with captions in {database.path.name}, found {len(captioned)}: "
            "name captions when building it, or give clips theirs with motionrag index caption."
        )
    chosen = np.random.default_rng(SEED).permutation(len(captioned))[:clips]
    return database.rows([captioned[place] for place in np.sort(chosen)])
