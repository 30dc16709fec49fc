"""Whether a folder can be written, said before the work that fills it."""

from __future__ import annotations

import os
from pathlib import Path

from index_builder.errors import InvalidSetting


def check_output_folder(folder: Path) -> None:
    """Raises InvalidSetting for a folder that is a file, lies below one, or may not be made or written there."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        found = f"{existing}, which may not be written" if existing.is_dir() else f"the file {existing}"
        raise InvalidSetting(
            f"Expected a folder that can be written at {folder}, received {found}: choose another one."
        )
