"""Stage 2's sequences: who is whose reference, and what of them is learned from."""

import numpy as np
import pytest
import torch

from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformer
from training import sizes
from training.stage2 import (
    CANDIDATES,
    FAMILIES,
    FAMILY_CLIPS,
    WRONG_SHARE,
    Pool,
    draw_pool_specs,
    family_members,
    make_loss,
    nearest_captions,
    run_out,
)


def test_a_database_runs_out_from_its_least_similar_end() -> None:
    references = torch.arange(900).reshape(100, 9) + 1_000_000
    kept = (run_out(np.random.default_rng(0), references, 1000) == references).numpy()
    assert kept[:, 0].all()
    assert (np.diff(kept.astype(int), axis=1) <= 0).all()  # once it has run out it stays so
    assert 0.3 < kept.all(1).mean() < 0.7


def test_a_single_reference_is_no_stranger() -> None:
    references = torch.arange(20)[:, None] + 1000
    assert torch.equal(run_out(np.random.default_rng(0), references, 1000), references)


def test_nearest_captions_leave_out_the_clip_itself() -> None:
    captions = torch.nn.functional.normalize(torch.randn(CANDIDATES + 5, 8, generator=torch.manual_seed(0)), dim=1)
    rows = nearest_captions(captions, captions)
    assert rows.shape == (CANDIDATES + 5, CANDIDATES)
    assert not (rows == torch.arange(CANDIDATES + 5)[:, None]).any()


def test_a_pool_has_as_many_clips_and_families_as_asked() -> None:
    specs = draw_pool_specs(np.random.default_rng(0), named_clips=5, families=2)
    assert [spec.motion is None for spec in specs] == [False] * 5 + [True] * 2 * FAMILY_CLIPS
    assert len({spec.trajectory_seed for spec in specs[5:]}) == 2


def test_most_of_a_family_is_family() -> None:
    rows = family_members(np.random.default_rng(0), families=FAMILIES, first_row=7) - 7
    own = torch.arange(FAMILIES * FAMILY_CLIPS)
    same = rows // FAMILY_CLIPS == own[:, None] // FAMILY_CLIPS
    assert float(same.float().mean()) == pytest.approx(1 - WRONG_SHARE, abs=0.02)


def test_the_loss_is_the_error_of_the_target_that_its_references_foretell(monkeypatch) -> None:
    monkeypatch.setattr("training.stage2.SHORT_SHARE", 0.0)
    monkeypatch.setattr("training.stage2.FULL_SHARE", 1.0)
    torch.manual_seed(0)
    model = ContextTransformer(sizes.CONTEXT_TRANSFORMER, sizes.APPEARANCE_RESAMPLER).eval()
    pool = Pool(
        motion_tokens=torch.randn(CANDIDATES, 8, 128),
        appearance=torch.randn(CANDIDATES, 5, 128),
        candidates=((torch.arange(CANDIDATES) + 1) % CANDIDATES)[:, None].expand(-1, CANDIDATES),  # the next one always
    )
    appearance = model.appearance_tokens(pool.appearance)
    targets = np.random.default_rng(3).integers(CANDIDATES, size=4)
    references = pool.candidates[targets][:, : sizes.REFERENCES]
    adapted = model.adapt(pool.motion_tokens[references], appearance[references], appearance[targets])
    expected = (adapted - pool.motion_tokens[targets]).square().mean().detach()
    assert float(make_loss(model, pool)(np.random.default_rng(3), 4)["tokens"].detach()) == pytest.approx(
        float(expected)
    )


def test_the_loss_falls_in_a_few_steps() -> None:
    torch.manual_seed(0)
    model = ContextTransformer(sizes.CONTEXT_TRANSFORMER, sizes.APPEARANCE_RESAMPLER)
    count = CANDIDATES + 10
    pool = Pool(
        motion_tokens=torch.randn(1, 8, 128).expand(count, -1, -1),
        appearance=torch.randn(count, 5, 128),
        candidates=torch.stack([torch.randperm(count)[:CANDIDATES] for _ in range(count)]),
    )
    loss, optimizer = make_loss(model, pool), torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for step in range(20):
        value = loss(np.random.default_rng(step), 8)["tokens"]
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(float(value.detach()))
    assert losses[-1] < 0.7 * losses[0]
