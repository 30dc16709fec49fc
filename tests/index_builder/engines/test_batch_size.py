"""Batches: what is asked, few on processors, on an accelerator what its memory holds."""

import pytest
import torch

from index_builder.engines.batch_size import FEW, MOST, BatchSize, clips_that_fit


@pytest.mark.parametrize(
    ("free_bytes", "clip_bytes", "clips"),
    [(10 << 30, 1 << 30, 6), (1 << 30, 1 << 30, 1), (0, 1 << 30, 1), (80 << 30, 1 << 20, MOST), (1 << 30, 0, MOST)],
)
def test_a_part_of_free_memory_is_filled(free_bytes: int, clip_bytes: int, clips: int) -> None:
    assert clips_that_fit(free_bytes=free_bytes, clip_bytes=clip_bytes) == clips


@pytest.mark.parametrize(("asked", "clips"), [(None, FEW), (3, 3)])
def test_processors_take_few_at_a_time(asked: int | None, clips: int) -> None:
    batch = BatchSize(asked, "cpu")
    with batch.learning(clips):
        pass
    assert batch.clips == clips


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_an_accelerator_takes_as_many_as_fit() -> None:
    free_bytes = torch.cuda.mem_get_info()[0]
    batch, asked = BatchSize(None, "cuda"), BatchSize(2, "cuda")
    for size in (batch, asked):
        with size.learning(2):
            torch.zeros(free_bytes // 8, dtype=torch.uint8, device="cuda")  # a sixteenth for each of the two
    assert 6 <= batch.clips <= 10 and asked.clips == 2
