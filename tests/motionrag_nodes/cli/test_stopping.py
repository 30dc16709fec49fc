"""SIGTERM and Ctrl-C end a block alike, and what was before them is put back."""

from __future__ import annotations

import os
import signal

import pytest
import typer

from motionrag_nodes.cli.stopping import ended_in_order


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGTERM, 143, "Terminated."), (signal.SIGINT, 130, "Interrupted.")]
)
def test_a_signal_ends_the_block_with_its_code(number: signal.Signals, code: int, said: str) -> None:
    before = signal.getsignal(signal.SIGTERM)
    told: list[str] = []
    with pytest.raises(typer.Exit) as caught, ended_in_order(told.append, "The rest stays."):
        if number == signal.SIGINT:  # shells let background jobs ignore it
            signal.signal(signal.SIGINT, signal.default_int_handler)
        os.kill(os.getpid(), number)
        signal.pause()
    assert caught.value.exit_code == code
    assert told == [f"{said} The rest stays."]
    assert signal.getsignal(signal.SIGTERM) == before
