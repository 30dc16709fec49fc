"""The packaged chain with a small database, made once."""

from collections.abc import Iterator

import pytest
import torch

from training.evaluation.held_frames.small import Chain
from training.evaluation.regression import load_chain


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    yield load_chain("tiny", work=tmp_path_factory.mktemp("small"))


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """What a test sets is undone."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
