"""Patches ComfyUI's own MODEL with adapted motion; ComfyUI loads and offloads the adapter's weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import comfy.model_management
import comfy.ops
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import CallbacksMP, WrappersMP

from index_builder.plain_text import plain_logger
from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.applied_motion import AppliedMotion
from motionrag_nodes.attention.block_weights import site_weights
from motionrag_nodes.attention.injection import require_fit
from motionrag_nodes.attention.native_guidance import tell_roles, tell_schedule
from motionrag_nodes.attention.native_injection import NativeInjection
from motionrag_nodes.backbones.backbone import Backbone, get_backbone
from motionrag_nodes.errors import AdapterMismatch

if TYPE_CHECKING:
    from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
    from motionrag_nodes.checkpoints.pack import MotionPack

logger = plain_logger(__name__)
_KEY = "motionrag"
# One copy of an adapter in each precision, however many nodes and models use it.
_ADAPTERS: WeakKeyDictionary[MotionPack, dict[torch.dtype, ModelPatcher]] = WeakKeyDictionary()


def apply_motion(
    model: ModelPatcher,
    pack: MotionPack,
    motion: AdaptedMotion,
    *,
    strength: float = 1.0,
    start: float = 0.0,
    end: float = 1.0,
    same_unconditional: bool = False,
    block_weights: str = "",
) -> ModelPatcher:
    """A clone of `model` that adds `motion` at its adapted attentions, beside what it adds already.

    The unconditional branch of guidance gets the tokens of the all-zeros clip, or with `same_unconditional` the same
    ones as the conditional. At strength 0 the model computes bit for bit what it did.

    Raises MotionMismatch: the motion was adapted with another pack. AdapterMismatch: the model is not the one that the
    pack is for. GenerationSettingInvalid, BlockWeightsInvalid: a setting is impossible.
    """
    motion.require_pack(name=pack.name, fingerprint=pack.fingerprint)
    backbone = get_backbone(pack.config.backbone)
    require_fit(backbone.hosts(model.get_model_object("diffusion_model")), pack.adapter)
    adapter = _adapter_in(pack, model.model.manual_cast_dtype or model.model_dtype())
    applied = AppliedMotion(
        adapter=adapter.model,
        weights=site_weights(block_weights, {site: backbone.blocks_of(site) for site in pack.adapter.sites}),
        tokens=motion.tokens,
        unconditional=motion.tokens if same_unconditional else motion.unconditional,
        strength=strength,
        start=start,
        end=end,
    )
    patched = model.clone()
    _replace_base_weights(patched, backbone, pack)
    if strength:
        _add(patched, backbone, applied, adapter)
    return patched


def _replace_base_weights(patched: ModelPatcher, backbone: Backbone, pack: MotionPack) -> None:
    """The pack's own weights of the base, where it has any: at strength 0 too, since the frames depend on them."""
    if backbone.native_weights is None:
        return
    state = backbone.native_weights(pack.base_attention_state())
    replaced = {f"diffusion_model.{key}": ("set", (value,)) for key, value in state.items()}
    taken = patched.add_patches(replaced)
    if len(taken) != len(replaced):
        missing = sorted(replaced.keys() - set(taken))
        raise AdapterMismatch(
            f"Expected a {backbone.title} MODEL whose attention weights the pack replaces, received one without "
            f"{missing[0]} and {len(missing) - 1} others: load the model that the pack is for."
        )
    for key in taken:
        # First, whatever came before: a LoRA is added to the weights that the pack brings, not lost under them.
        *others, ours = patched.patches[key]
        patched.patches[key] = [ours, *others]


def _add(patched: ModelPatcher, backbone: Backbone, applied: AppliedMotion, adapter: ModelPatcher) -> None:
    present = patched.get_wrappers(WrappersMP.DIFFUSION_MODEL, _KEY)
    earlier = tuple(motion for injection in present for motion in injection.motions)
    patched.remove_wrappers_with_key(WrappersMP.DIFFUSION_MODEL, _KEY)
    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, _KEY, NativeInjection(backbone.hosts, (*earlier, applied)))
    for kind, wrapper in ((WrappersMP.PREDICT_NOISE, tell_roles), (WrappersMP.OUTER_SAMPLE, tell_schedule)):
        patched.remove_wrappers_with_key(kind, _KEY)
        patched.add_wrapper_with_key(kind, _KEY, wrapper)
    patched.remove_callbacks_with_key(CallbacksMP.ON_CLONE, _KEY)
    patched.add_callback_with_key(CallbacksMP.ON_CLONE, _KEY, lambda _, clone: _watch_weights(clone))
    _watch_weights(patched)
    loaded = patched.get_additional_models_with_key(_KEY)
    if not any(adapter.is_clone(other) for other in loaded):
        patched.set_additional_models(_KEY, [*loaded, adapter])


def _watch_weights(patched: ModelPatcher) -> None:
    """Nodes that merge a MODEL into another read its weights alone: then it is said that its motion stays behind."""

    def read(filter_prefix: str | None = None) -> Any:
        if filter_prefix is not None:  # as merging asks; ComfyUI itself reads all of them
            logger.warning(
                "A MODEL with motion is merged into another, as ModelMerge's model2: motion is no weight, so it is "
                "dropped. Put Apply Motion behind the merging."
            )
        return type(patched).get_key_patches(patched, filter_prefix)

    patched.get_key_patches = read


def _adapter_in(pack: MotionPack, dtype: torch.dtype) -> ModelPatcher:
    """The pack's adapter as a model of ComfyUI's own: the pack's weights stay where the other nodes expect them."""
    copies = _ADAPTERS.setdefault(pack, {})
    if dtype not in copies:
        with torch.device("meta"):
            adapter = MotionAdapter(
                token_dim=pack.adapter.token_dim,
                site_dims=pack.adapter.site_dims,
                root=pack.adapter.root,
                linear=comfy.ops.manual_cast.Linear,  # cast and moved as needed where memory is short
            ).eval()
        offload_device = comfy.model_management.unet_offload_device()
        state = {key: value.to(offload_device, dtype, copy=True) for key, value in pack.adapter.state_dict().items()}
        adapter.load_state_dict(state, strict=True, assign=True)
        adapter.requires_grad_(False)
        copies[dtype] = ModelPatcher(
            adapter, load_device=comfy.model_management.get_torch_device(), offload_device=offload_device
        )
    return copies[dtype]
