"""Stage 2: the context transformer learns to adapt retrieved motion to the given image (arXiv 2509.26391).

Its sequences are made to be worth adapting: named motions come by their captions, as at generation time, but some
captions lie, as captions do; random motions come in families that share nothing but the motion, so that what is learned
is to read it from the examples, whatever it is. And a database may run out of a motion: the less similar a reference,
the more likely it is a stranger, which is why the order of references tells something.

Where the paper counts the error of every clip of a sequence, only the target's counts here: of its first clips, which
have few or no examples before them, little can be foretold, and what they were wrong by drowned the rest
(training/README.md has the trial). Sequences of any length teach to make do with few examples instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from index_builder.features.preprocessing import prepare_frames
from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformer
from training.data import COMPRESSION_GRAIN, add_grain
from training.demo_world.motions import MOTIONS
from training.demo_world.world import CLIP_FRAMES, ClipSpec, draw_spec, render_clip
from training.runner import Loss, Recipe, console
from training.sizes import APPEARANCE_PREPROCESSING, REFERENCES, SIZE_PIXELS
from training.stage1 import motion_features

RECIPE = Recipe(steps=5000, batch=32, lr=2e-3, gradient_clip=0.25, ema_decay=0.998, muon=True)
NAMED_CLIPS, FAMILIES, FAMILY_CLIPS = 12000, 500, 24
# References are drawn from this many nearest captions, so that a sequence is not the same each time it comes up.
CANDIDATES = 20
# Of the captions in the pool this share names a wrong motion, and of a family's references this share is a stranger.
WRONG_SHARE = 0.25
# In this share of sequences the database runs out: from some place on there are only strangers.
SHORT_SHARE = 0.5
# In this share of steps sequences are of full length; in the others shorter, since a few references must serve too.
FULL_SHARE = 0.6
BATCH = 50


@dataclass(frozen=True)
class Pool:
    """A training database in memory: motion tokens [M, L, D], appearance features [M, N, C] of all clips; `candidates`
    [M, CANDIDATES] are rows that may serve as a clip's references, most similar first."""

    motion_tokens: Tensor
    appearance: Tensor
    candidates: Tensor


def draw_pool_specs(rng: np.random.Generator, *, named_clips: int, families: int) -> list[ClipSpec]:
    """Clips of named motions, then families of FAMILY_CLIPS each that share one random motion."""
    specs = [draw_spec(rng) for _ in range(named_clips)]
    for _ in range(families):
        seed = int(rng.integers(2**31))
        members = (draw_spec(rng, motions=[None]) for _ in range(FAMILY_CLIPS))
        specs += [replace(member, trajectory_seed=seed) for member in members]
    return specs


def nearest_captions(queries: Tensor, captions: Tensor) -> Tensor:
    """Rows [M, CANDIDATES] of the captions [M, E] most similar to each query [M, E], never its own."""
    similarity = queries @ captions.T
    similarity.fill_diagonal_(-torch.inf)
    return similarity.topk(CANDIDATES, dim=1).indices


def family_members(rng: np.random.Generator, *, families: int, first_row: int) -> Tensor:
    """Rows [families * FAMILY_CLIPS, CANDIDATES] of each clip's family, itself left out, some replaced by strangers."""
    rows = []
    for row in range(families * FAMILY_CLIPS):
        start = row // FAMILY_CLIPS * FAMILY_CLIPS
        others = np.delete(np.arange(start, start + FAMILY_CLIPS), row - start)
        members = rng.permutation(others)[:CANDIDATES]
        strangers = rng.integers(families * FAMILY_CLIPS, size=CANDIDATES)
        rows.append(np.where(rng.random(CANDIDATES) < WRONG_SHARE, strangers, members))
    return torch.from_numpy(np.stack(rows)) + first_row


@torch.no_grad()
def build_pool(
    *,
    retrieval: nn.Module,
    tokenizer: Callable[[list[str]], Tensor],
    motion_encoder: nn.Module,
    appearance_encoder: nn.Module,
    resampler: nn.Module,
    named_clips: int = NAMED_CLIPS,
    families: int = FAMILIES,
    seed: int = 2,
) -> Pool:
    """Encode clips of the train split as the indexer would, and find who may be whose reference."""
    rng = np.random.default_rng(seed)
    specs = draw_pool_specs(rng, named_clips=named_clips, families=families)
    tokens, appearance = [], []
    for start in range(0, len(specs), BATCH):
        clips = np.stack([render_clip(s, size=SIZE_PIXELS, frames=CLIP_FRAMES) for s in specs[start : start + BATCH]])
        clips = add_grain(rng, clips, COMPRESSION_GRAIN)
        tokens.append(resampler(motion_features(motion_encoder, list(clips))))
        appearance.append(appearance_encoder(prepare_frames(clips[:, 0], APPEARANCE_PREPROCESSING)).last_hidden_state)
        if start % 1000 == 0:
            console.log(f"pool: {start}/{len(specs)} clips")
    named = specs[:named_clips]
    kinds = list(MOTIONS)
    told = [
        replace(s, motion=str(rng.choice(kinds))) if rng.random() < WRONG_SHARE else s for s in named
    ]  # what the database's captions say
    queries, captions = (
        torch.cat(
            [
                retrieval.encode_text(tokenizer([s.caption(rng) for s in said[i : i + BATCH]]), normalize=True)
                for i in range(0, len(said), BATCH)
            ]
        )
        for said in (named, told)
    )
    candidates = [nearest_captions(queries, captions), family_members(rng, families=families, first_row=len(named))]
    return Pool(torch.cat(tokens), torch.cat(appearance), torch.cat(candidates))


def run_out(rng: np.random.Generator, references: Tensor, clips: int) -> Tensor:
    """References [B, K], most similar first, of which a SHORT_SHARE of rows ends in strangers out of all `clips`."""
    batch, count = references.shape
    true = np.where(rng.random(batch) < SHORT_SHARE, rng.integers(1, max(2, count), batch), count)
    strangers = torch.from_numpy(rng.integers(clips, size=(batch, count)))
    return torch.where(torch.from_numpy(np.arange(count) < true[:, None]), references, strangers)


def make_loss(model: ContextTransformer, pool: Pool) -> Loss:
    """The error of the target's motion tokens, foretold from its retrieved references as at generation time."""

    def loss(rng: np.random.Generator, batch: int) -> dict[str, Tensor]:
        targets = torch.from_numpy(rng.integers(len(pool.candidates), size=batch))
        count = REFERENCES if rng.random() < FULL_SHARE else int(rng.integers(1, REFERENCES))
        kept = np.stack([np.sort(rng.choice(CANDIDATES, count, replace=False)) for _ in range(batch)])
        references = run_out(rng, pool.candidates[targets].gather(1, torch.from_numpy(kept)), len(pool.candidates))
        clips = torch.cat([references, targets[:, None]], dim=1)  # [B, K + 1], most similar first
        appearance = model.appearance_tokens(pool.appearance[clips])  # [B, K + 1, L, D]
        adapted = model.adapt(pool.motion_tokens[references], appearance[:, :-1], appearance[:, -1])
        return {"tokens": F.mse_loss(adapted, pool.motion_tokens[targets])}

    return loss
