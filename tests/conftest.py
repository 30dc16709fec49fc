"""What every test shares: a place of its own for what the program remembers of its user."""

from __future__ import annotations

from pathlib import Path

import pytest

from index_builder.clips.allowed_folders import STATE_VARIABLE


@pytest.fixture(scope="session", autouse=True)
def state_of_the_user(tmp_path_factory: pytest.TempPathFactory):
    """Child processes get it too. Without it tests would note their folders for the user who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_VARIABLE, str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has indexed nothing yet."""
    monkeypatch.setenv(STATE_VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state"
