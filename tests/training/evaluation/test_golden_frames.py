"""Fixed seeds give the stored frames, a small evaluation stays above its floors, and what is broken turns one red.

After a new pack was trained: python -m training.evaluation.regression
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformer
from training.evaluation.held_frames import golden
from training.evaluation.held_frames.small import Chain, measure_order, measure_videos
from training.evaluation.regression import FRAMES, below_floors, load_record

# Enough to tell what is broken: a batch, of four motions.
FEW_CLIPS = 4


def scene_frames(chain: Chain, scene: golden.Scene, motion: AdaptedMotion | None = None, **changes) -> np.ndarray:
    motion = motion or golden.adapted_motion(chain.pack, scene)
    return golden.render_scene(chain.model, scene, motion, golden.scene_settings(chain.pack, scene, **changes))


@pytest.fixture
def zeroed(chain: Chain) -> Iterator[None]:
    """The adapter adds nothing."""
    weights = [chain.model.adapter.site(site).to_v_ip[0].weight for site in chain.model.adapter.sites]
    kept = [weight.clone() for weight in weights]
    for weight in weights:
        weight.zero_()
    yield
    for weight, values in zip(weights, kept, strict=True):
        weight.copy_(values)


@pytest.fixture
def permuted(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every site has the weights of the next one of its width."""
    adapter = chain.model.adapter
    by_width: dict[int, list[str]] = {}
    for site, width in adapter.site_dims.items():
        by_width.setdefault(width, []).append(site)
    weights = {site: adapter.site(site) for site in adapter.sites}
    follows = {site: row[(i + 1) % len(row)] for row in by_width.values() for i, site in enumerate(row)}
    monkeypatch.setattr(adapter, "site", lambda path: weights[follows[path]])


@pytest.fixture
def swapped_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The context transformer takes the most similar neighbour for the least similar one."""
    right = ContextTransformer.adapt

    def swapped(self, motion: torch.Tensor, appearance: torch.Tensor, target: torch.Tensor, **rest) -> torch.Tensor:
        return right(self, motion.flip(1), appearance.flip(1), target, **rest)

    monkeypatch.setattr(ContextTransformer, "adapt", swapped)


def test_record_is_of_this_pack(chain: Chain) -> None:
    assert load_record()["tokens_fingerprint"] == chain.pack.tokens_fingerprint, (
        "the pack was replaced: store what the new one does with python -m training.evaluation.regression"
    )


@pytest.mark.parametrize("number", range(len(golden.SCENES)))
def test_fixed_seeds_give_the_stored_frames(chain: Chain, number: int) -> None:
    stored = golden.load_frames(FRAMES)[number]
    made = scene_frames(chain, golden.SCENES[number])
    assert golden.same_frames(made, stored), golden.apart(made, stored)


def test_small_evaluation_stays_above_its_floors(chain: Chain) -> None:
    measured = {**measure_videos(chain), **measure_order(chain)}
    assert not below_floors(measured, load_record()["floors"]), measured


# Breaking each part once: the checks above must not hold any more.


@pytest.mark.parametrize("broken", ["zeroed", "permuted"])
def test_broken_adapter_is_seen_by_both(chain: Chain, broken: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(broken)
    assert not golden.same_frames(scene_frames(chain, golden.SCENES[0]), golden.load_frames(FRAMES)[0])
    below = below_floors(measure_videos(chain, clips=FEW_CLIPS), load_record()["floors"])
    assert {"accuracy", "action", "trajectory"} <= set(below)


def test_swapped_order_of_references_is_seen_by_both(chain: Chain, swapped_order: None) -> None:
    # References of two kinds: there the order decides.
    assert not golden.same_frames(scene_frames(chain, golden.SCENES[1]), golden.load_frames(FRAMES)[1])
    assert below_floors(measure_order(chain), load_record()["floors"]) == ["order_gain"]


def without_guidance(chain: Chain) -> np.ndarray:
    return scene_frames(chain, golden.SCENES[0], min_guidance=1.0, max_guidance=1.0)


def without_unconditional_tokens(chain: Chain) -> np.ndarray:
    motion = golden.adapted_motion(chain.pack, golden.SCENES[0])
    motion = replace(motion, unconditional=motion.tokens)
    return scene_frames(chain, golden.SCENES[0], motion)


@pytest.mark.parametrize("broken", [without_guidance, without_unconditional_tokens])
def test_lost_guidance_branch_is_seen(chain: Chain, broken: Callable[[Chain], np.ndarray]) -> None:
    assert not golden.same_frames(broken(chain), golden.load_frames(FRAMES)[0])
