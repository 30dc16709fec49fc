"""What is looked at in a clip: action logits, appearance and motion features, from models that are loaded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from index_builder.features.preprocessing import prepare_clips
from motionrag_nodes.checkpoints.pack import MotionPack
from training.evaluation.scores.classifier import load_classifier, motion_logits

BATCH = 16
PUBLISHED_HEAD = "VideoMAEForVideoClassification"

Clips = Sequence[np.ndarray]


class Judge:
    """The models of a pack that measure, and a classifier of actions.

    The classifier is the one that came with the pack's motion encoder, if it has such a head (the published encoder
    was trained to name 174 actions), else the independent one of the demo world; `classifier_name` says which.
    """

    def __init__(self, pack: MotionPack) -> None:
        self.pack = pack
        pack.motion_encoder  # noqa: B018  loaded first: where it is missing, its error says how to get it
        own = _published_classifier(pack)
        self.classifier_name = "the demo world's own classifier" if own is None else "the motion encoder's head"
        self.knows_demo_world = own is None
        if own is None:
            model = load_classifier()
            own = lambda clips: motion_logits(model, clips)  # noqa: E731
        self._logits = own

    def logits(self, clips: Clips) -> np.ndarray:
        """Clips uint8 RGB [T, H, W, 3] -> action logits [N, actions]."""
        return _batched(self._logits, clips)

    def appearance(self, clips: Clips) -> np.ndarray:
        """Clips of one shape -> the appearance encoder's CLS of every frame, [N, T, C]."""
        return _batched(lambda some: np.stack([self._frames(clip) for clip in some]), clips)

    def motion_features(self, clips: Clips) -> np.ndarray:
        """Clips -> the motion encoder's features, averaged over a clip, [N, C]."""
        return _batched(lambda some: self.pack.motion_encoder.encode(some).mean(1).cpu().numpy(), clips)

    def _frames(self, clip: np.ndarray) -> np.ndarray:
        return self.pack.appearance_encoder.encode(clip)[:, 0].cpu().numpy()


def _batched(measure: Callable[[Clips], np.ndarray], clips: Clips) -> np.ndarray:
    return np.concatenate([measure(list(clips[start : start + BATCH])) for start in range(0, len(clips), BATCH)])


def _published_classifier(pack: MotionPack) -> Callable[[Clips], np.ndarray] | None:
    """The classification head of the pack's motion encoder; None where the encoder was stored without one."""
    from transformers import AutoConfig, VideoMAEForVideoClassification

    spec = pack.config.encoders["motion"]
    inside = pack.folder / spec.source
    source: str | Path = inside if inside.is_dir() else spec.source
    if PUBLISHED_HEAD not in (AutoConfig.from_pretrained(source, local_files_only=True).architectures or ()):
        return None
    model = VideoMAEForVideoClassification.from_pretrained(source, local_files_only=True, use_safetensors=True).eval()

    @torch.inference_mode()
    def logits(clips: Clips) -> np.ndarray:
        return model(prepare_clips(clips, spec.preprocessing)).logits.float().numpy()

    return logits
