"""The judge itself: it must name real clips rightly, and be no part of a pack."""

import json

import numpy as np

from training.demo_world.world import draw_spec, render_clip
from training.evaluation.scores.classifier import JUDGED_FRAMES, KINDS, RECORD, load_classifier, motion_logits

FRESH_SEED = 17


def test_real_clips_are_named_rightly_at_any_length_and_size() -> None:
    rng, model = np.random.default_rng(FRESH_SEED), load_classifier()
    specs = [draw_spec(rng, motions=[KINDS[number % len(KINDS)]]) for number in range(100)]
    truth = [KINDS.index(spec.motion) for spec in specs]
    for size, frames in ((64, JUDGED_FRAMES), (96, 2 * JUDGED_FRAMES)):
        clips = [render_clip(spec, size=size, frames=frames) for spec in specs]
        # of twice the frames the same moments are taken, but for the ends
        named = motion_logits(model, clips).argmax(1)
        assert (named == truth).mean() >= 0.95


def test_clips_in_which_nothing_moves_are_not_taken_for_sure() -> None:
    rng, model = np.random.default_rng(FRESH_SEED), load_classifier()
    moving = [render_clip(draw_spec(rng), size=64, frames=JUDGED_FRAMES) for _ in range(30)]
    still = [np.repeat(clip[:1], JUDGED_FRAMES, axis=0) for clip in moving]

    def surest(clips: list[np.ndarray]) -> float:
        logits = motion_logits(model, clips)
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return float((shares.max(1) / shares.sum(1)).mean())

    assert surest(still) < surest(moving)


def test_record_says_how_well_it_names_held_out_clips() -> None:
    accuracy = json.loads(RECORD.read_text(encoding="utf-8"))["accuracy"]
    assert accuracy["real"] > 0.95
    assert accuracy["as if generated"] > 0.9
