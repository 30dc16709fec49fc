"""Seams of boards that are drawn exactly: as smooth as the rest, and each part named as it moves."""

from __future__ import annotations

import numpy as np

from training.demo_world.motions import BACKWARDS
from training.evaluation.seams import draw_board, drawn_pieces, smoothness


def test_drawn_boards_have_no_seams() -> None:
    rng = np.random.default_rng(0)
    boards = [draw_board(rng) for _ in range(12)]
    assert all(
        BACKWARDS[first.motion] == third.motion and first.motion != second.motion for first, second, third in boards
    )
    pieces = [drawn_pieces(board, size=64, frames=8) for board in boards]
    assert [len(piece) for piece in pieces[0]] == [8, 7, 7]
    kinds = [[part.kind for part in board] for board in boards]
    found = smoothness(pieces, kinds, handed_on=True)
    assert 0.8 < found.jump / found.within < 1.2
    assert found.motion_right[0] == 1 and found.motion_right[1] > 0.8
    cut = smoothness([[piece[0], piece[2], piece[1]] for piece in pieces], kinds, handed_on=True)
    assert cut.jump > 1.5 * cut.within
