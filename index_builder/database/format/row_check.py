"""Checks on rows whose structure is sound: their values may still be what no clip has, since anybody may have written
them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from index_builder.clips.thumbnails import MAX_THUMBNAIL_BYTES

MAX_BYTES = {"id": 256, "source": 32_768, "caption": 1 << 20, "thumbnail": MAX_THUMBNAIL_BYTES}
MAX_SECONDS = 1e7
MAX_FPS = 1e9
MAX_SIDE = 1 << 20


def impossible_values(batch: pa.RecordBatch) -> Iterator[str]:
    """What no clip has, in words. Embeddings are looked at where they are used."""
    for name, most in MAX_BYTES.items():
        length = pc.max(pc.binary_length(batch.column(name))).as_py()
        if length is not None and length > most:
            yield f"a value of {length} bytes where at most {most} are due ({name})"
    start, end, fps = (_numbers(batch, name) for name in ("start_sec", "end_sec", "fps"))
    # NaN compares false with everything.
    if not np.all((start >= 0) & (end > start) & (end <= MAX_SECONDS)):
        yield f"a clip that does not end after its start, or not within {MAX_SECONDS:g} s (start_sec, end_sec)"
    if not np.all((fps > 0) & (fps <= MAX_FPS)):
        yield "an impossible rate of frames (fps)"
    for name in ("width", "height"):
        side = _numbers(batch, name)
        if not np.all((side >= 1) & (side <= MAX_SIDE)):
            yield f"an impossible size of pictures ({name})"


def _numbers(batch: pa.RecordBatch, name: str) -> np.ndarray:
    numbers: np.ndarray = batch.column(name).to_numpy(zero_copy_only=False)
    return numbers
