"""Files that are there whole or not at all: written under another name beside their own, then moved into place."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(path: Path, *, synced: bool = False) -> Iterator[Path]:
    """Where to write what `path` is to hold: a name that nobody can have taken before, as a link to another file. When
    the block ends the file takes the place of one that is there; when it raises, nothing is left.

    synced: the content is on the disk before the file has its name. An OSError names `path`, which somebody asked for,
    and not the name it was written under.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        if synced:
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.filename != str(temporary):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
