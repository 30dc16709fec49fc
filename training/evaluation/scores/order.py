"""Whether the order in time is told apart: a clip played backwards is another motion, though its frames are the same.

Studied for video encoders as the arrow of time (Wei et al. 2018): features that do not know it fetch both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.demo_world.world import ClipSpec
from training.evaluation.protocol.cases import Case
from training.evaluation.scores.tracking import Track

# Two ways that are less than this apart say nothing of time, in pixels.
SMALLEST_DIFFERENCE = 2.0


def order_right(generated: Track, real: Track, opposite: Track) -> float:
    """100 where the generated sprite's way is nearer to the real one's than to the opposite one's, else 0.

    Ways are displacements from the first frame, and changes of the radius; `opposite` runs along the real sprite's path
    from the end. NaN where both ways are alike.
    """
    found, wanted, wrong = (_way(track) for track in (generated, real, opposite))
    if _apart(wanted, wrong) < SMALLEST_DIFFERENCE:
        return np.nan
    return 100.0 * (_apart(found, wanted) < _apart(found, wrong))


def run_from_the_end(spec: ClipSpec) -> ClipSpec:
    """The clip in which the same sprite runs along the same path from its other end."""
    return replace(spec, backwards=not spec.backwards)


def retrieval_right(cases: Sequence[Case], *, encoder: PackClipEncoder, size: int) -> np.ndarray:
    """By motion tokens alone: 100 where the clip of a case is more like another clip of its motion, than like that clip
    played backwards, else 0, [N].

    The other clip is the next case's of the same motion: of another object, size and place. NaN where there is none,
    and for motions that look alike both ways.
    """
    clips = [case.real(size=size) for case in cases]
    forward = _directions(encoder, clips)
    reverse = _directions(encoder, [clip[::-1].copy() for clip in clips])
    right = np.full(len(cases), np.nan)
    for number, case in enumerate(cases):
        others = [place for place, other in enumerate(cases) if place != number and other.spec.kind == case.spec.kind]
        if others and not alike_backwards(case.spec):
            other = next((place for place in others if place > number), others[0])
            right[number] = 100.0 * (forward[number] @ forward[other] > forward[number] @ reverse[other])
    return right


def alike_backwards(spec: ClipSpec) -> bool:
    """Whether a motion is the same when it is run from its end."""
    paths = (one.trajectory().stacked()[:, :3] for one in (spec, run_from_the_end(spec)))
    return bool(np.allclose(*paths, atol=0.02))


def _directions(encoder: PackClipEncoder, clips: Sequence[np.ndarray]) -> np.ndarray:
    tokens = encoder.motion_tokens(clips).flatten(1).cpu().numpy()
    tokens = tokens - encoder.zero_clip_tokens().flatten(1).cpu().numpy()
    return tokens / np.linalg.norm(tokens, axis=1, keepdims=True)


def _way(track: Track) -> np.ndarray:
    """[T, 3]: from the first moment, in pixels."""
    return np.column_stack([track.centre - track.centre[0], track.radius - track.radius[0]])


def _apart(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.sqrt(((first - second) ** 2).sum(1).mean()))
