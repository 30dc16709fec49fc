"""Loading a pack's video model without what diffusers and transformers draw and say meanwhile."""

from __future__ import annotations

from motionrag_nodes.checkpoints.pack import MotionPack
from motionrag_nodes.frames.video_model import VideoModel, load_video_model


def load_quietly(pack: MotionPack) -> VideoModel:
    """The pack's own video model; our progress bar is the only one, here and in the processes that generate."""
    import diffusers.utils.logging as diffusers_logging
    import transformers.utils.logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    # It expects SVD's own codec class each time, though the pipeline takes either.
    diffusers_logging.set_verbosity_error()
    return load_video_model(None, pack=pack)
