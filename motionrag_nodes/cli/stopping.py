"""Work that Ctrl-C and SIGTERM end alike: in order, with a sentence and the exit code of the signal."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer

EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as Ctrl-C comes."""


@contextmanager
def ended_in_order(say: Callable[[str], None], what_stays: str) -> Iterator[None]:
    """The block, in which SIGTERM does what Ctrl-C does: servers' prompts are taken back on the way out.

    `what_stays` is said after it. Raises typer.Exit with 130 or 143 for a block that was ended so.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except _Terminated:
        say(f"Terminated. {what_stays}")
        raise typer.Exit(EXIT_TERMINATED) from None
    except KeyboardInterrupt:
        say(f"Interrupted. {what_stays}")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)
