"""How far a generated sprite goes for each pixel that the real one goes, and likewise for its growth.

A model trained on squared error shrinks towards the mean where it is unsure; an error alone does not tell that from
scatter, a slope does. 1 is right, less is too little motion.
"""

from __future__ import annotations

import numpy as np

from training.evaluation.scores.tracking import Track


def displacement_products(generated: Track, real: Track) -> np.ndarray:
    """What the slope of displacements from the first frame consists of, [2]: see `size_products`."""
    return _products(generated.centre - generated.centre[0], real.centre - real.centre[0])


def size_products(generated: Track, real: Track) -> np.ndarray:
    """Numerator and denominator [2] of the slope of log sizes against the first frame's.

    The slope of a row is that of the line through the origin (least squares): both are summed over its clips, and then
    divided. Frames in which one of the two shows no sprite are left out.
    """
    seen = (generated.radius > 0) & (real.radius > 0)
    if not seen[0]:
        return np.zeros(2)
    return _products(
        *(np.log(track.radius[seen] / track.radius[0])[:, None] for track in (generated, real))
    )  # [T, 1] each


def _products(generated: np.ndarray, real: np.ndarray) -> np.ndarray:
    return np.array([(generated * real).sum(), (real * real).sum()])
