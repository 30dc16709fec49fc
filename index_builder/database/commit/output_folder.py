"""Whether a folder may become, or already is, a motion database."""

from __future__ import annotations

from pathlib import Path

from index_builder.database.commit.presence import FOLDER as PRESENCE_FOLDER
from index_builder.database.commit.presence import TEMPORARY
from index_builder.database.format.manifest import list_generations
from index_builder.errors import DatabaseNotWritable


def check_output(output: Path) -> None:
    """Raises DatabaseNotWritable for a file, and for a folder that holds something else."""
    if output.exists() and not output.is_dir():
        raise DatabaseNotWritable(
            f"Expected a folder for the database, received the file {output}: choose another --output."
        )
    if output.is_dir() and not list_generations(output):
        # A build that was stopped before its first commit leaves folders but no manifest.
        own = {"segments", "indexes", PRESENCE_FOLDER}
        if any(entry.name not in own and not entry.name.startswith(TEMPORARY) for entry in output.iterdir()):
            raise DatabaseNotWritable(
                f"Expected a motion database or a new folder, received {output}, which holds other files: choose "
                "another --output."
            )
