"""Token errors: their scale, and that they tell good references from bad ones."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from training.evaluation.rows import ROWS
from training.evaluation.small import CLIPS_PER_MOTION, Chain
from training.evaluation.token_error import measure_rows, relative_error

ROOT = Path(__file__).resolve().parents[3]


def test_the_targets_own_tokens_have_no_error_and_their_mean_has_all() -> None:
    own = torch.randn(500, 3, 4, generator=torch.manual_seed(0))
    assert relative_error(own, own).tolist() == [0.0] * 500
    assert float(relative_error(own.mean(0, keepdim=True), own).mean()) == pytest.approx(1, abs=0.01)


def test_retrieved_motion_is_nearer_than_random_motion(chain: Chain, tmp_path: Path) -> None:
    rows = [row for row in ROWS if row.name in ("rag", "random")]
    errors = measure_rows(chain.pack, rows, clips=8, folder=tmp_path, clips_per_motion=CLIPS_PER_MOTION)
    assert errors["rag"].shape == (8,)
    assert float(errors["rag"].mean()) < 0.5 * float(errors["random"].mean())


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.evaluation.token_error", "--stage2", str(tmp_path / "none.safetensors")]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert f"expected weights at {tmp_path / 'none.safetensors'}, found none" in " ".join(told.stderr.split())
