"""What the package brings for its templates: pictures and a video, put where ComfyUI's own nodes look for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import folder_paths

from index_builder.plain_text import plain_logger
from motionrag_nodes.checkpoints.find_models import PACKAGED_SAMPLES

# Offered by Index Folder where they are.
CLIPS = PACKAGED_SAMPLES / "motionrag_clips"

logger = plain_logger(__name__)


def offer() -> None:
    """Copies the samples that are missing into ComfyUI's input folder, all that Load Image lists.

    Where that folder cannot be written to, the templates' pictures are missing, and all else works.
    """
    target = Path(folder_paths.get_input_directory())
    try:
        target.mkdir(parents=True, exist_ok=True)
        for sample in sorted((PACKAGED_SAMPLES / "input").iterdir()):
            if not (target / sample.name).exists():
                shutil.copyfile(sample, target / sample.name)
    except OSError as error:
        logger.warning("The sample pictures of MotionRAG could not be put into %s (%s).", target, error)
