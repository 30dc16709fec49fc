"""Token errors: their scale, and that they tell good references from bad ones."""

from pathlib import Path

import pytest
import torch

from training.evaluation.held_frames.small import CLIPS_PER_MOTION, Chain
from training.evaluation.protocol.rows import ROWS
from training.evaluation.token_error import main, measure_rows, relative_error


def test_the_targets_own_tokens_have_no_error_and_their_mean_has_all() -> None:
    own = torch.randn(500, 3, 4, generator=torch.manual_seed(0))
    assert relative_error(own, own).tolist() == [0.0] * 500
    assert float(relative_error(own.mean(0, keepdim=True), own).mean()) == pytest.approx(1, abs=0.01)


def test_retrieved_motion_is_nearer_than_random_motion(chain: Chain, tmp_path: Path) -> None:
    rows = [row for row in ROWS if row.name in ("rag", "random")]
    errors = measure_rows(chain.pack, rows, clips=8, folder=tmp_path, clips_per_motion=CLIPS_PER_MOTION)
    assert errors["rag"].shape == (8,)
    assert float(errors["rag"].mean()) < 0.5 * float(errors["random"].mean())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("--run", "nowhere"), "Expected context_transformer.safetensors in nowhere, found none: give the folder of"),
        (("--pack", "nowhere"), "nowhere"),
        (("--clips", "1"), "Expected at least 8 clips, received 1"),
    ],
)
def test_what_cannot_be_measured_is_named_and_nothing_runs(
    wrong: tuple[str, str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["token_error", *wrong])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert told in capsys.readouterr().err
