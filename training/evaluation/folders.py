"""Any folder of generated videos against a folder of real ones, matched by their names without suffix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from index_builder.clips.find import VideoFile, find_videos
from motionrag_nodes.checkpoints.pack import MotionPack
from training.evaluation.errors import EvaluationInvalid
from training.evaluation.scores.figures import RowFigures
from training.evaluation.scores.judge import Judge
from training.evaluation.scores.scores import compare_clips

FEWEST_PAIRS = 4
# What is compared is a clip: more is cut off before it fills the memory.
MOST_FRAMES = 300
SHORT_SIDE = 256


@dataclass(frozen=True)
class FolderComparison:
    """Figures of the pairs, and the names that only one of the folders has."""

    figures: RowFigures
    classifier: str
    pairs: tuple[str, ...]
    unmatched: tuple[str, ...]


def compare_folders(
    real: Path, generated: Path, *, pack: MotionPack, on_pair: Callable[[int, int], None] = lambda done, total: None
) -> FolderComparison:
    """Action Score, appearance score, Frechet distance and first-frame fidelity of videos paired by name.

    A pair is compared over as many frames as the shorter one has, spread over each.

    Raises InputNotFound: a folder does not exist or holds no video. EvaluationInvalid: fewer than four names match, a
    name stands twice in a folder, or a video cannot be read.
    """
    first, second = _by_stem(real), _by_stem(generated)
    names = sorted(first.keys() & second.keys())
    if len(names) < FEWEST_PAIRS:
        raise EvaluationInvalid(
            f"Expected at least {FEWEST_PAIRS} videos of the same names in {real} and {generated}, found {len(names)} "
            f"(of {len(first)} and {len(second)}): name each generated video as the real one it stands for."
        )
    pairs = []
    for done, name in enumerate(names, start=1):
        pairs.append(_aligned(read_frames(first[name]), read_frames(second[name])))
        on_pair(done, len(names))
    judge = Judge(pack)
    scores = compare_clips(judge, real=[pair[0] for pair in pairs], generated=[pair[1] for pair in pairs])
    return FolderComparison(
        figures=RowFigures(scores),
        classifier=judge.classifier_name,
        pairs=tuple(names),
        unmatched=tuple(sorted(first.keys() ^ second.keys())),
    )


def read_frames(path: Path) -> np.ndarray:
    """Every frame of a video, uint8 RGB [T, H, W, 3], its short side at most 256 pixels.

    Raises EvaluationInvalid: the file is no video that can be decoded.
    """
    frames = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                frames.append(_small(frame.to_image()))
                if len(frames) == MOST_FRAMES:
                    break
    except (av.FFmpegError, IndexError, OSError) as error:
        raise EvaluationInvalid(
            f"Expected a video at {path}, received a file that cannot be decoded ({error}): make it again or remove it."
        ) from error
    if not frames:
        raise EvaluationInvalid(f"Expected frames in {path}, found none: make it again or remove it.")
    return np.stack(frames)


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for video in find_videos([folder]):
        if not isinstance(video, VideoFile):
            continue
        if video.path.stem in found:
            raise EvaluationInvalid(
                f"Expected each name once below {folder}, found {video.path} and {found[video.path.stem]}: "
                "rename one of them."
            )
        found[video.path.stem] = video.path
    return found


def _small(image: Image.Image) -> np.ndarray:
    scale = SHORT_SIDE / min(image.size)
    if scale < 1:
        image = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BILINEAR)
    return np.asarray(image.convert("RGB"))


def _aligned(real: np.ndarray, generated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both with the shorter one's frames and the generated one's size."""
    count = min(len(real), len(generated))
    spread = [clip[np.round(np.linspace(0, len(clip) - 1, count)).astype(int)] for clip in (real, generated)]
    height, width = generated.shape[1:3]
    return np.stack([_fitted(frame, width, height) for frame in spread[0]]), spread[1]


def _fitted(frame: np.ndarray, width: int, height: int) -> np.ndarray:
    from motionrag_nodes.frames.generate import fit_picture

    return np.asarray(fit_picture(frame, width=width, height=height))


def names_shown(names: Sequence[str], most: int = 5) -> str:
    """The first few of a list of names."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
