"""How many clips are encoded at a time: on an accelerator as many as its free memory holds, else a few."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# More does not make processors quicker, and fills their caches.
FEW, MOST = 8, 64
# Of free memory: some is lost between what is taken, and others may want some.
SHARE = 0.6


def clips_that_fit(*, free_bytes: int, clip_bytes: int) -> int:
    """Clips for which `free_bytes` are enough where one takes `clip_bytes`, within sensible limits."""
    return max(1, min(MOST, int(SHARE * free_bytes) // max(1, clip_bytes)))


class BatchSize:
    """`clips` to encode at a time on `device`: `asked`, or what its memory holds, which a first batch of few tells."""

    def __init__(self, asked: int | None, device: str) -> None:
        self.clips = asked or FEW
        chosen = torch.device(device)
        # Other accelerators do not say how much memory is free.
        self._measured = chosen if asked is None and chosen.type == "cuda" else None

    @contextmanager
    def learning(self, clips: int) -> Iterator[None]:
        """Around the encoding of so many clips: what they take decides about the next ones."""
        if self._measured is None:
            yield
            return
        torch.cuda.reset_peak_memory_stats(self._measured)
        yield
        # Weights may have been loaded within; what was taken and given back is the clips'.
        allocated = torch.cuda.memory_allocated(self._measured)
        taken = torch.cuda.max_memory_allocated(self._measured) - allocated
        kept = torch.cuda.memory_reserved(self._measured) - allocated
        free_bytes = torch.cuda.mem_get_info(self._measured)[0] + kept
        self.clips = clips_that_fit(free_bytes=free_bytes, clip_bytes=taken // clips)
