"""The picture that a finished training ends with."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from motionrag_nodes.checkpoints.pack import PACKAGED_FOLDER
from training import preview
from training.sizes import SIZE_PIXELS


def test_a_row_shows_truth_base_own_and_retrieved_motion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "MOTIONS", {"left": preview.MOTIONS["left"]})
    preview.write_preview(PACKAGED_FOLDER / "tiny", tmp_path / "preview.png")
    with Image.open(tmp_path / "preview.png") as sheet:
        assert sheet.size == (4 * len(preview.SHOWN_FRAMES) * SIZE_PIXELS * 3 // 2, SIZE_PIXELS * 3 // 2)
        small = np.asarray(sheet.convert("RGB").resize((sheet.width * 2 // 3, sheet.height * 2 // 3)), dtype=float)
    truth, alone, own, retrieved = np.split(small, 4, axis=1)
    wrong = [np.abs(shown - truth).mean() for shown in (alone, own, retrieved)]
    # With motion, what is shown is nearer to the truth than what the base alone invents.
    assert wrong[0] > 1.5 * max(wrong[1:])
