"""Roles of conditions and places in schedules, as samplers of ComfyUI hold them."""

from __future__ import annotations

import torch

from motionrag_nodes.attention.native_guidance import place_in_schedule, roles_of
from motionrag_nodes.backbones.backbone import Branch

CONDITIONAL, UNCONDITIONAL = Branch.CONDITIONAL, Branch.UNCONDITIONAL


def cond(uuid: str, embedding: torch.Tensor | None = None) -> dict:
    return {"uuid": uuid, "cross_attn": torch.zeros(1) if embedding is None else embedding}


def test_roles_follow_the_names_of_the_guider_s_lists() -> None:
    conds = {"negative": [cond("n")], "positive": [cond("p1"), cond("p2")], "empty_negative_prompt": [cond("e")]}
    assert roles_of(conds) == {"n": UNCONDITIONAL, "p1": CONDITIONAL, "p2": CONDITIONAL, "e": UNCONDITIONAL}
    assert roles_of({"positive": [cond("p")], "negative": None}) == {"p": CONDITIONAL}


def test_a_further_condition_is_one_unless_it_repeats_the_negative() -> None:
    steered_away = torch.zeros(1)
    conds = {
        "positive": [cond("p", steered_away)],
        "middle": [cond("m"), cond("again", steered_away), {"uuid": "bare"}],
        "negative": [cond("n", steered_away)],
    }
    roles = roles_of(conds)
    assert [name for name, role in roles.items() if role is CONDITIONAL] == ["p", "m", "bare"]


def test_a_part_of_a_schedule_knows_its_place() -> None:
    whole = torch.linspace(10, 0, 11)
    assert place_in_schedule(whole) == (0, 10)
    assert place_in_schedule(whole[:4]) == (0, 10)
    assert place_in_schedule(whole[3:]) == (3, 10)
    assert place_in_schedule(whole[3:].clone()) == (0, 7)
    with torch.inference_mode():  # as ComfyUI runs its nodes
        assert place_in_schedule(torch.linspace(10, 0, 11)[2:5]) == (2, 10)
    assert place_in_schedule(torch.zeros(20_000)[:5]) == (0, 4)  # of no schedule
