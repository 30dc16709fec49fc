"""More like this: the rows whose stored motion tokens point most nearly where a clip's do. No index covers tokens, so
all of them are read, in parts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from index_builder.database.format.tokens import TokensFile

PART_ROWS = 256


def motion_direction(tokens: np.ndarray) -> np.ndarray:
    """Motion tokens [..., L, D] -> float32 [..., L * D] of length 1 (of zeros: zeros)."""
    flat = np.asarray(tokens, dtype=np.float32).reshape(*tokens.shape[:-2], -1)
    direction: np.ndarray = flat / np.maximum(np.linalg.norm(flat, axis=-1, keepdims=True), 1e-12)
    return direction


def motion_scores(files: Iterable[tuple[TokensFile, int]], query: np.ndarray) -> np.ndarray:
    """The cosine of each row's motion tokens with `query`, tokens [L, D]: float32 [rows]. `files` with their number of
    rows, in the order of the segments."""
    direction = motion_direction(query)
    scores = [np.empty(0, dtype=np.float32)]
    for file, row_count in files:
        for start in range(0, row_count, PART_ROWS):
            part = file.rows(range(start, min(start + PART_ROWS, row_count))).motion_tokens
            scores.append(motion_direction(part) @ direction)
    return np.concatenate(scores)
