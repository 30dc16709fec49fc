"""What SVD is told of its rate, apart from the rate that its frames are played at."""

from dataclasses import replace

from motionrag_nodes.backbones.svd.published import PUBLISHED
from motionrag_nodes.backbones.svd.settings import SVDSettings


def test_published_settings_play_at_8_what_is_told_as_6() -> None:
    settings = PUBLISHED.settings
    # StableVideoDiffusionPipeline tells the model one less than what it is called with.
    assert (settings.frames, settings.fps, settings.condition_fps - 1) == (16, 8, 6)
    assert settings.noise_aug_strength == 0.02 and settings.to_stored()["condition_fps"] == 7
    assert not settings.problems()


def test_packs_that_tell_the_rate_they_play_at_are_written_as_before() -> None:
    as_played = replace(PUBLISHED.settings, condition_fps=0)
    assert "condition_fps" not in as_played.to_stored() and SVDSettings(**as_played.to_stored()) == as_played
    assert any("condition_fps" in problem for problem in replace(as_played, condition_fps=-1).problems())


def test_what_svd_is_told_follows_the_rate_that_is_chosen() -> None:
    assert PUBLISHED.settings.changed(fps=16).condition_fps == 14
    assert PUBLISHED.settings.changed(fps=1).condition_fps == 1
    assert PUBLISHED.settings.changed(fps=16, condition_fps=7).condition_fps == 7
    assert PUBLISHED.settings.changed(steps=3).condition_fps == 7
    as_played = PUBLISHED.settings.changed(condition_fps=0)
    assert as_played.changed(fps=16).condition_fps == 0 and as_played.changed(fps=16).fps == 16
