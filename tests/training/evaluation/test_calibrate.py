"""The packaged pack, calibrated on clips of the demo world as a user would do it with a database."""

import shutil
from pathlib import Path

import pytest
import torch
from typer import Typer
from typer.testing import CliRunner

from index_builder.build import build_database
from index_builder.database.search.reader import MotionDatabase
from motionrag_nodes.adapted_tokens.calibrate import calibrate
from motionrag_nodes.checkpoints.pack import PACKAGED_FOLDER, load_pack
from motionrag_nodes.cli.calibrate import calibrate as command
from motionrag_nodes.errors import CalibrationInvalid
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.evaluation.held_frames.small import Chain


def invoke(*arguments: str):
    app = Typer()
    app.command()(command)
    return CliRunner().invoke(app, arguments)


def test_the_slope_is_measured_and_brought_to_one(chain: Chain) -> None:
    told = []
    fit = calibrate(chain.pack, chain.database, on_clip=lambda done, total: told.append((done, total)))
    assert fit.clips == len(chain.database) == told[-1][0] == told[-1][1]
    assert 0.5 < fit.before < 1.05
    assert abs(fit.after - 1) < 0.15
    assert fit.calibration.gain.item() == pytest.approx(1 / fit.before)
    # The loaded pack is only looked at.
    assert chain.pack.calibration.gain.item() == 1


def test_fewer_clips_are_drawn_and_always_the_same(chain: Chain) -> None:
    first, second = (calibrate(chain.pack, chain.database, clips=32) for _ in range(2))
    assert first.clips == 32
    assert torch.equal(first.calibration.offset, second.calibration.offset)


def test_the_command_puts_it_into_the_pack(chain: Chain, tmp_path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(PACKAGED_FOLDER / "tiny", folder)
    done = invoke("--pack", str(folder), "--database", str(chain.database.path), "--force")
    assert done.exit_code == 0, done.output
    assert "1 is right" in " ".join(done.output.split())
    calibrated = load_pack(folder)
    assert calibrated.calibration.gain.item() != 1
    # A second time it is measured without what it has already: the same comes out.
    again = calibrate(calibrated, chain.database)
    torch.testing.assert_close(again.calibration.state_dict(), calibrated.calibration.state_dict())


def test_clips_without_captions_cannot_calibrate(chain: Chain, tmp_path) -> None:
    clips = sorted({Path(row.source) for row in chain.database.rows(chain.database.ids())})
    built = build_database(clips[:3], output=tmp_path / "bare", encoder=PackClipEncoder(chain.pack), workers=1)
    assert not built.failed
    with pytest.raises(CalibrationInvalid, match="Expected at least 32 clips with captions in bare, found 0"):
        calibrate(chain.pack, MotionDatabase.open(tmp_path / "bare"))
