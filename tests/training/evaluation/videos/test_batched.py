from dataclasses import replace

import numpy as np
import pytest

from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
from motionrag_nodes.frames.generate import generate_video
from training.evaluation.held_frames.small import Chain
from training.evaluation.protocol.cases import draw_cases
from training.evaluation.videos.batched import generate_videos

# One grey level: both round to bytes.
ROUNDING = 1


@pytest.mark.parametrize(("with_motion", "guidance"), [(True, 1.5), (True, 1.0), (False, 1.5)])
def test_batch_makes_what_each_alone_would(chain: Chain, with_motion: bool, guidance: float) -> None:
    settings = replace(chain.settings, steps=2, min_guidance=guidance, max_guidance=guidance)
    cases = draw_cases("seen", 2)
    pictures = [case.real(size=settings.width, frames=1)[0] for case in cases]
    tokens = chain.encoder.motion_tokens([case.real(size=settings.width) for case in cases]).clone()
    unconditional = chain.encoder.zero_clip_tokens().clone()
    together = generate_videos(
        chain.model,
        pictures=pictures,
        motion=(tokens, unconditional) if with_motion else None,
        settings=settings,
        seeds=[case.seed for case in cases],
    )
    for place, case in enumerate(cases):
        motion = AdaptedMotion(tokens[place : place + 1], unconditional, "test", chain.pack)
        alone = generate_video(
            chain.model,
            image=pictures[place],
            motion=motion if with_motion else None,
            settings=replace(settings, seed=case.seed),
        )
        expected = (alone.frames.numpy() * 255).round().astype(int)
        assert np.abs(together[place] - expected).max() <= ROUNDING
    assert np.abs(together[0].astype(int) - together[1]).mean() > 1
