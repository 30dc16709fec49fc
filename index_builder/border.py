"""Where data of others comes in: a reader that trips over its shape says so in the one error that the border names.

Readers check what they know of. What they did not think of (a list where an object is due, a number too large, tables
without end inside each other) must not end in a traceback either: it is the data's fault, not the program's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from index_builder.errors import MotionRAGError

SURPRISES = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, MemoryError)
MAX_REASON = 200


@contextmanager
def border(refusal: Callable[[str], MotionRAGError]) -> Iterator[None]:
    """Raises `refusal` of a reason for whatever shape of data the block trips over; named errors pass."""
    try:
        yield
    except SURPRISES as error:
        lines = str(error).splitlines()
        reason = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
        raise refusal(reason[:MAX_REASON]) from error
