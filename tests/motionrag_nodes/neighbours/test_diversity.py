"""Maximal marginal relevance: its two ends, and the step between."""

import numpy as np

from motionrag_nodes.neighbours.diversity import most_diverse

# Two alike and best, one apart and worse, one opposite and worst.
VECTORS = np.array([[1, 0], [1, 0], [0, 1], [-1, 0]], dtype=np.float32)
SCORES = np.array([0.9, 0.89, 0.5, 0.1], dtype=np.float32)


def test_zero_is_the_order_of_scores() -> None:
    assert most_diverse(SCORES, VECTORS, count=3, diversity=0.0) == [0, 1, 2]


def test_more_diversity_takes_the_one_apart_first() -> None:
    # Second choice: (1 - d) * score - d * similarity to the first; at 0.3: 0.32, 0.35, 0.37 for the three.
    assert most_diverse(SCORES, VECTORS, count=2, diversity=0.1) == [0, 1]
    assert most_diverse(SCORES, VECTORS, count=4, diversity=0.3)[:2] == [0, 3]
    assert most_diverse(SCORES, VECTORS, count=2, diversity=1.0) == [0, 3]


def test_what_was_taken_before_counts_from_the_first_choice_on() -> None:
    # The best two resemble what was taken; the one apart is chosen before them.
    assert most_diverse(SCORES, VECTORS, count=1, diversity=0.3, taken=VECTORS[:1]) == [3]
    assert most_diverse(SCORES, VECTORS, count=1, diversity=0.3, taken=VECTORS[:0]) == [0]


def test_each_is_taken_once_and_no_more_than_there_are() -> None:
    assert sorted(most_diverse(SCORES, VECTORS, count=9, diversity=0.8)) == [0, 1, 2, 3]
    assert most_diverse(SCORES[:0], VECTORS[:0], count=3, diversity=0.8) == []
