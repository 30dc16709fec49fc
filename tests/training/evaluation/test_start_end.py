"""Motion in a part of the steps: between the same motion throughout and none at all."""

from __future__ import annotations

import pytest

from motionrag_nodes.checkpoints.pack import load_pack
from training.evaluation.start_end import NEVER, PARTS, THROUGHOUT, main, measure


def test_the_tiny_packs_last_steps_decide_how_things_move() -> None:
    lines = {(line.start, line.end): line for line in measure(load_pack("tiny"), clips=2, steps=4)}
    assert tuple(lines) == PARTS
    assert lines[THROUGHOUT].difference == 0 and lines[THROUGHOUT].motion_right == 1
    assert lines[0.5, 1.0].difference < 0.1 * lines[NEVER].difference
    assert lines[0.0, 0.5].difference > 0.5 * lines[NEVER].difference


@pytest.mark.parametrize(
    ("given", "told"),
    [(["--clips", "0"], "at least 8 clips, received 0"), (["--clips", "8", "--steps", "0"], "steps"),
     (["--pack", "nowhere"], "nowhere")],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(
    given: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["start_end", *given])
    with pytest.raises(SystemExit):
        main()
    assert told in " ".join(capsys.readouterr().err.split())
