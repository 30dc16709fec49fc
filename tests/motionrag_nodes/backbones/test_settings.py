"""Settings are checked as a whole before anything runs."""

from dataclasses import replace

import pytest

from motionrag_nodes.backbones.svd.settings import SVDSettings
from motionrag_nodes.errors import GenerationSettingInvalid

GOOD = SVDSettings(width=64, height=64, frames=4, fps=4, steps=3, min_guidance=1.0, max_guidance=2.0)


def test_every_problem_is_listed_at_once():
    GOOD.validate()
    bad = replace(GOOD, width=60, height=-8, frames=0, fps=0, steps=0, min_guidance=3.0, seed=-1, decode_chunk_size=0)
    with pytest.raises(GenerationSettingInvalid, match=r"received 8 problem\(s\)") as error:
        bad.validate()
    text = str(error.value)
    assert "width: expected a positive multiple of 8, received 60; the nearest is 64" in text
    assert "height: expected a positive multiple of 8, received -8; the nearest is 8" in text
    assert "max_guidance: expected at least min_guidance 3.0, received 2.0" in text
    for name in ("frames", "fps", "steps", "decode_chunk_size"):
        assert f"{name}: expected at least 1, received 0" in text
    assert "seed: expected at least 0, received -1" in text
