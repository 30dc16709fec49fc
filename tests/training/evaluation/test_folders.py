from pathlib import Path

import numpy as np
import pytest

from index_builder.errors import InputNotFound
from training.demo_world.write_videos import write_mp4
from training.evaluation.errors import EvaluationInvalid
from training.evaluation.folders import compare_folders, read_frames
from training.evaluation.held_frames.small import Chain
from training.evaluation.protocol.cases import draw_cases

CASES = 6


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    for case in draw_cases("seen", CASES):
        write_mp4(folder / f"clip{case.number}.mp4", case.real(size=96))
    return folder


def write_generated(folder: Path, *, backwards: bool = False, frames: int = 8, count: int = CASES) -> Path:
    folder.mkdir(parents=True)
    for case in draw_cases("seen", count):
        clip = case.real(size=64, frames=frames)
        write_mp4(folder / f"clip{case.number}.mp4", clip[::-1] if backwards else clip, fps=4)
    return folder


def test_same_motion_at_another_size_and_length_scores_high_and_backwards_low(
    chain: Chain, real: Path, tmp_path: Path
) -> None:
    good = compare_folders(real, write_generated(tmp_path / "good"), pack=chain.pack)
    poor = compare_folders(real, write_generated(tmp_path / "poor", backwards=True), pack=chain.pack)
    assert good.pairs == tuple(f"clip{number}" for number in range(CASES))
    assert good.figures.metrics == ("action", "frechet", "appearance", "first_frame")
    assert good.figures.estimate("action").value > 90 > poor.figures.estimate("action").value
    assert good.figures.estimate("first_frame").value > poor.figures.estimate("first_frame").value
    assert "demo world" in good.classifier


def test_what_has_no_partner_is_named(chain: Chain, real: Path, tmp_path: Path) -> None:
    found = compare_folders(real, write_generated(tmp_path / "few", count=5), pack=chain.pack)
    assert found.unmatched == ("clip5",)
    assert found.figures.scores.count == 5


def test_clear_errors(chain: Chain, real: Path, tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="does not exist"):
        compare_folders(real, tmp_path / "none", pack=chain.pack)
    with pytest.raises(EvaluationInvalid, match=r"at least 4 videos of the same names.*found 2 \(of 6 and 2\)"):
        compare_folders(real, write_generated(tmp_path / "two", count=2), pack=chain.pack)
    twice = write_generated(tmp_path / "twice")
    (twice / "more").mkdir()
    (twice / "more" / "clip0.mp4").write_bytes((twice / "clip0.mp4").read_bytes())
    with pytest.raises(EvaluationInvalid, match="each name once"):
        compare_folders(real, twice, pack=chain.pack)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with pytest.raises(EvaluationInvalid, match=r"broken.mp4.*cannot be decoded"):
        read_frames(broken)


def test_large_videos_are_made_small(tmp_path: Path) -> None:
    write_mp4(tmp_path / "wide.mp4", np.zeros((3, 512, 640, 3), dtype=np.uint8))
    assert read_frames(tmp_path / "wide.mp4").shape == (3, 256, 320, 3)
