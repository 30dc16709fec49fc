"""Where data of others comes in: a reader that trips over its shape says so in the one error that the border names.

Readers check what they know of. What they did not think of (a list where an object is due, a number too large, tables
without end inside each other) must not end in a traceback either: it is the data's fault, not the program's.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from index_builder.errors import MotionRAGError

SURPRISES = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, MemoryError)
MAX_REASON = 200


def read_regular(path: Path, *, most_bytes: int) -> bytes:
    """The content of a file. Raises OSError, also where it is no regular file (a FIFO would be waited for, a device has
    no end) or is longer than `most_bytes`: nothing longer is read."""
    with open(path, "rb", opener=_without_waiting) as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        # As much is set aside as is asked for, so no more is than the file has.
        content = stream.read(min(most_bytes, status.st_size) + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it has more than {most_bytes} bytes", str(path))
    return content


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def border(refusal: Callable[[str], MotionRAGError]) -> Iterator[None]:
    """Raises `refusal` of a reason for whatever shape of data the block trips over; named errors pass."""
    try:
        yield
    except SURPRISES as error:
        lines = str(error).splitlines()
        reason = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        raise refusal(reason[:MAX_REASON]) from error
