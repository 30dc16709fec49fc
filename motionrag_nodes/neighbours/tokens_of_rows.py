"""Tokens of neighbours: read from the database where it stores this pack's, else encoded from the source videos."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index_builder.clips.allowed_folders import AllowedFolders
from index_builder.errors import TokensNotStored
from index_builder.plain_text import plain_logger, shown
from motionrag_nodes.errors import NeighboursNotFound

if TYPE_CHECKING:
    import torch

    from index_builder.database.format.rows import ClipRow
    from index_builder.database.search.reader import MotionDatabase
    from index_builder.features.clip_encoder import ClipEncoder

logger = plain_logger(__name__)
Progress = Callable[[int, int], None]
Tokens = tuple[np.ndarray, np.ndarray]
# (row id, tokens fingerprint) -> motion and appearance tokens float16 [L, D]: 100 kB a row at the published sizes.
_encoded: OrderedDict[tuple[str, str], Tokens] = OrderedDict()
MAX_ENCODED = 512
# Videos that an error names; a database has many.
SHOWN_REASONS = 3


@dataclass(frozen=True)
class RowTokens:
    """motion and appearance: float32 [K, L, D] of the rows `ids`, in their order; `left_out` says of each other row, by
    the name of its video, why it has none."""

    ids: tuple[str, ...]
    motion: torch.Tensor
    appearance: torch.Tensor
    left_out: tuple[str, ...] = ()


def tokens_of_rows(
    database: MotionDatabase,
    rows: Sequence[ClipRow],
    *,
    encoder: ClipEncoder,
    sources: AllowedFolders | None = None,
    progress: Progress | None = None,
) -> RowTokens:
    """Tokens of rows as `encoder` makes them.

    Where the database stores those of another pack, the rows' videos are decoded and encoded now, which takes seconds
    rather than milliseconds; it is logged, and remembered within this process. Videos are read only below `sources`,
    by default the folders that were indexed here. `progress` hears clips done and clips in all, often; what it raises
    ends the work. Raises NeighboursNotFound when no row could be read.
    """
    import torch

    ids = tuple(row.id for row in rows)
    left_out: tuple[str, ...] = ()
    try:
        stored = database.tokens(ids, fingerprint=encoder.tokens_fingerprint)
        motion, appearance = stored.motion_tokens, stored.appearance_tokens
    except TokensNotStored as reason:
        tokens, left_out = _encode_on_demand(
            rows, encoder, reason, sources or AllowedFolders.of_user(), database.roots, progress
        )
        if not tokens:
            more = f"; and {len(left_out) - SHOWN_REASONS:,} more" if len(left_out) > SHOWN_REASONS else ""
            reasons = "; ".join(left_out[:SHOWN_REASONS]) + more
            raise NeighboursNotFound(
                f"Expected clips of {database.path.name} whose videos can be read, since it stores no tokens of this "
                f"pack, but none can ({reasons}): put the videos back, or build the database with this pack."
            ) from reason
        ids = tuple(tokens)
        motion, appearance = (np.stack(kind) for kind in zip(*tokens.values(), strict=True))
    # The copies belong to the caller, who may write to them.
    own = [torch.from_numpy(kind.astype(np.float32)) for kind in (motion, appearance)]
    return RowTokens(ids, own[0], own[1], left_out)


def _encode_on_demand(
    rows: Sequence[ClipRow],
    encoder: ClipEncoder,
    reason: TokensNotStored,
    sources: AllowedFolders,
    roots: Sequence[Path],
    progress: Progress | None,
) -> tuple[dict[str, Tokens], tuple[str, ...]]:
    """Tokens by row id, in the order of the rows, and why rows are missing."""
    from index_builder.clips.stored_clips import read_stored_clips

    fingerprint = encoder.tokens_fingerprint
    missing = [row for row in rows if (row.id, fingerprint) not in _encoded]
    left_out: list[str] = []
    # Reading and encoding count as a step each.
    steps = 2 * len(missing)

    def tell(done: int, _: int) -> None:
        if progress is not None:
            progress(done, steps)

    if missing:
        logger.warning("encoding %d neighbours on demand from their videos: %s", len(missing), reason)
        clips = read_stored_clips(missing, allowed=sources, roots=roots, reading=encoder.reading, progress=tell)
        for place, (row, clip) in enumerate(zip(missing, clips, strict=True)):
            tell(len(missing) + place, steps)
            if isinstance(clip, str):
                left_out.append(shown(f"{row.source}: {clip}", keep=""))
                logger.warning("left out %s", left_out[-1])
                continue
            features = encoder.encode([clip.pixels], [None])
            _encoded[row.id, fingerprint] = features.motion_tokens[0], features.appearance_tokens[0]
    found = {row.id: _encoded[row.id, fingerprint] for row in rows if (row.id, fingerprint) in _encoded}
    while len(_encoded) > MAX_ENCODED:
        _encoded.popitem(last=False)
    return found, tuple(left_out)
