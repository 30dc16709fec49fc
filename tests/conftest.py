"""What every test shares: a place of its own for what the program remembers of its user, interrupts that are heard, and
how files of tests are spread over processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from index_builder.clips.allowed_folders import STATE_VARIABLE


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: while some tests wait for a ComfyUI or a process, others compute."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getvalue("dist") != "loadfile":
        return None
    from tests.side_by_side import LongestFirst

    return LongestFirst(config, log)


@pytest.fixture(scope="session", autouse=True)
def state_of_the_user(tmp_path_factory: pytest.TempPathFactory):
    """Child processes get it too. Without it tests would note their folders for the user who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_VARIABLE, str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session", autouse=True)
def interrupts_as_at_a_terminal():
    """Commands that a shell starts in the background (`make test &`) ignore interrupts, and so do their children: tests
    of Ctrl-C would wait in vain."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has indexed nothing yet."""
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state"
