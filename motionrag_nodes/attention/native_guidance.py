"""What a sampler of ComfyUI knows and does not tell its model: roles of conditions, and the whole schedule.

Wrappers of the sampling (WrappersMP.PREDICT_NOISE and OUTER_SAMPLE) put both into transformer_options, where the
wrapper of the model finds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from motionrag_nodes.backbones.backbone import Branch
from motionrag_nodes.errors import CompiledModel

ROLES, SCHEDULE = "motionrag_roles", "motionrag_schedule"
# ComfyUI's own key for the wrappers that its compiling nodes set.
_COMPILED = "torch.compile"
_LONGEST_SCHEDULE = 10_000


def roles_of(conds: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[Any, Branch]:
    """Each condition of a guider by its uuid -> its branch of guidance.

    Guiders name their lists: what is called negative is unconditional, and so is a condition of another list that
    repeats a negative one; all others are conditional (DualCFGGuider has two such lists, positive and middle).
    """
    negative = [cond for name, given in conds.items() if "negative" in name for cond in given or ()]
    repeated = {id(cond["cross_attn"]) for cond in negative if cond.get("cross_attn") is not None}
    roles = {}
    for name, given in conds.items():
        for cond in given or ():
            steered_away = "negative" in name or (name != "positive" and id(cond.get("cross_attn")) in repeated)
            roles[cond.get("uuid")] = Branch.UNCONDITIONAL if steered_away else Branch.CONDITIONAL
    return roles


def place_in_schedule(sigmas: torch.Tensor) -> tuple[int, int]:
    """(steps before, steps in all) of a part of a schedule: the nodes that split one hand out views of it."""
    length = sigmas.untyped_storage().nbytes() // sigmas.element_size()
    start = int(sigmas.storage_offset())
    if sigmas.ndim != 1 or not start + len(sigmas) <= length <= _LONGEST_SCHEDULE:
        return 0, len(sigmas) - 1
    return start, length - 1


def tell_roles(executor: Any, x: Any, timestep: Any, model_options: Any = None, seed: Any = None) -> Any:
    """A wrapper around a guider's prediction (WrappersMP.PREDICT_NOISE)."""
    options = model_options or {}
    transformer_options = {**options.get("transformer_options", {}), ROLES: roles_of(executor.class_obj.conds)}
    return executor(x, timestep, {**options, "transformer_options": transformer_options}, seed)


def tell_schedule(
    executor: Any, noise: Any, latent_image: Any, sampler: Any, sigmas: torch.Tensor, *args: Any, **kwargs: Any
) -> Any:
    """A wrapper around a guider's sampling (WrappersMP.OUTER_SAMPLE).

    Raises CompiledModel: another node compiles the model, whose code would then no longer pass through the hooks.
    """
    options = executor.class_obj.model_options.setdefault("transformer_options", {})
    if options.get("wrappers", {}).get("apply_model", {}).get(_COMPILED):
        raise CompiledModel(
            "Expected a MODEL that is not compiled, received one that passed through TorchCompileModel: motion cannot "
            "enter compiled code. Take that node out, or put it on a MODEL without motion."
        )
    options[SCHEDULE] = place_in_schedule(sigmas)
    return executor(noise, latent_image, sampler, sigmas, *args, **kwargs)
