"""The motion tokens of a row's cases: none, retrieved and fused, played backwards, at random, or the target's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from index_builder.clips.allowed_folders import AllowedFolders
from index_builder.database.search.reader import MotionDatabase
from motionrag_nodes.adapted_tokens.adapt import adapt_motion
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from motionrag_nodes.neighbours.backwards import played_backwards
from motionrag_nodes.neighbours.neighbours import Neighbours
from motionrag_nodes.neighbours.retrieve import retrieve_neighbours
from training.evaluation.protocol.cases import Case
from training.evaluation.protocol.rows import Row


def row_tokens(
    row: Row, cases: Sequence[Case], *, encoder: PackClipEncoder, databases: Mapping[str, MotionDatabase], size: int
) -> torch.Tensor | None:
    """Motion tokens [B, L, D] of the cases; None where the row has no references."""
    if row.references == "none":
        return None
    if row.references == "own":
        return encoder.motion_tokens([case.real(size=size) for case in cases]).clone()
    found = []
    for case in cases:
        neighbours = find_neighbours(row, case, encoder=encoder, database=databases[row.database])
        if row.references == "reversed":
            folders = AllowedFolders(tuple({Path(item.source).parent for item in neighbours.items}))
            neighbours = played_backwards(neighbours, encoder=encoder, sources=folders)
        picture = case.real(size=size, frames=1)[0]
        found.append(adapt_motion(encoder.pack, neighbours, image=picture, fusion=row.fusion).tokens)
    return torch.cat(found)


def find_neighbours(row: Row, case: Case, *, encoder: PackClipEncoder, database: MotionDatabase) -> Neighbours:
    """The row's references for a case, most similar first."""
    if row.references in ("retrieved", "reversed"):
        return retrieve_neighbours(database, encoder=encoder, prompt=case.prompt, top_k=row.top_k)
    everything = retrieve_neighbours(database, encoder=encoder, prompt=case.prompt, top_k=len(database))
    # By the case's own seed: a row that is continued draws the same ones.
    drawn = np.sort(np.random.default_rng(case.seed).choice(len(everything), row.top_k, replace=False))
    return Neighbours(
        tuple(everything.items[place] for place in drawn),
        everything.motion_tokens[drawn],
        everything.appearance_tokens[drawn],
        everything.tokens_fingerprint,
    )
