"""Settings of models that read a prompt: the same for all of them but for the guidance and the codec's frames."""

import pytest

from motionrag_nodes.backbones.cogvideox.settings import CogVideoXSettings
from motionrag_nodes.backbones.prompted_settings import PromptedSettings
from motionrag_nodes.backbones.settings import facts_of
from motionrag_nodes.backbones.wan.settings import WanSettings

SIZES = {"steps": 4, "fps": 8, "width": 64, "height": 64}


@pytest.mark.parametrize(
    ("kind", "guidance", "frames", "nearest"), [(CogVideoXSettings, 3.0, 11, 9), (WanSettings, 3.5, 6, 5)]
)
def test_frames_that_the_codec_cannot_make(
    kind: type[PromptedSettings], guidance: float, frames: int, nearest: int
) -> None:
    assert kind(frames=nearest, **SIZES).guidance == guidance
    assert kind(frames=nearest, **SIZES).problems() == []
    (said,) = kind(frames=frames, **SIZES).problems()
    assert said.endswith(f"received {frames}; the nearest is {nearest}")


def test_they_are_offered_in_one_order() -> None:
    assert list(facts_of(CogVideoXSettings)) == list(facts_of(WanSettings))
