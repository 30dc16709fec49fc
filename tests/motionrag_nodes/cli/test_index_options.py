"""What commands say on stderr of clips and prompts that an encoder was not trained on."""

import pytest

from motionrag_nodes.cli.index_options import load_encoder, say_what_is_unlike
from tests.index_builder.projection_encoder import ProjectionEncoder


def test_a_prompt_of_another_world_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    encoder = load_encoder("tiny")
    say_what_is_unlike(encoder, prompt="a skier turns left in deep snow")
    said = capsys.readouterr()
    assert 'the prompt "a skier turns left in deep snow" is unlike the captions that pack tiny' in said.err
    assert said.out == ""
    say_what_is_unlike(encoder, prompt="a red ball moves to the left")
    say_what_is_unlike(ProjectionEncoder(), prompt="a skier turns left")
    assert capsys.readouterr().err == ""
