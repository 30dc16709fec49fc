"""Motion packs on disk: written as a whole or not at all, loaded strictly, without pickle."""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from index_builder.features.dinov2_encoder import AppearanceEncoder
from index_builder.features.encoder_kinds import KINDS
from index_builder.features.open_clip_encoder import RetrievalEncoder
from index_builder.features.sentence_encoder import SentenceEncoder
from index_builder.features.videomae_encoder import MotionEncoder
from index_builder.model_files.folder import require_plain_folder
from index_builder.whole_file import whole_file
from motionrag_nodes.adapted_tokens.calibration import TokenCalibration
from motionrag_nodes.adapted_tokens.context_transformer import ContextTransformer
from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.backbones.backbone import get_backbone
from motionrag_nodes.checkpoints.fingerprints import fingerprint_folder, require_base, require_encoder
from motionrag_nodes.checkpoints.pack_config import (
    ADAPTER_FILE,
    APPEARANCE_RESAMPLER_FILE,
    BASE_ATTENTION_FILE,
    CALIBRATION_FILE,
    CONTEXT_TRANSFORMER_FILE,
    MOTION_RESAMPLER_FILE,
    PACK_FILE,
    AdapterConfig,
    PackConfig,
)
from motionrag_nodes.checkpoints.pack_files import State, put_in_place, read_file, write_file
from motionrag_nodes.errors import PackInvalid, PackNotFound
from motionrag_nodes.motion_tokens.resampler import Resampler
from motionrag_nodes.residence import Residence
from motionrag_nodes.state_check import state_problems

__all__ = ["AdapterConfig", "MotionPack", "PackConfig", "load_pack", "write_calibration", "write_pack"]

PACKAGED_FOLDER = Path(__file__).resolve().parents[1] / "packs"
APPEARANCE_PREFIX = "condition_proj."

Module = TypeVar("Module", bound=nn.Module)


class MotionPack:
    """A loaded pack: modules in evaluation mode and float32; encoders are loaded when first used.

    What is asked for is about to be used, so it comes to the `residence`'s device then; `release` sends all of it away.
    The adapter stays on the CPU: a video model has a copy of its own.
    """

    def __init__(self, config: PackConfig, *, folder: Path, residence: Residence) -> None:
        self.config = config
        self.folder = folder
        self.residence = residence
        with torch.device("meta"):  # the weights replace every parameter, so none is worth initialising
            modules = build_modules(config)
        self._motion_resampler, self._context_transformer, self.adapter = modules
        # What the context transformer says passes through it; a pack without one has one that changes nothing.
        self._calibration = TokenCalibration.of_sizes(config.context_transformer)
        self._encoders: dict[str, Any] = {}

    @property
    def device(self) -> str:
        """Where its modules compute."""
        return str(self.residence.device)

    @property
    def motion_resampler(self) -> Resampler:
        """Motion features to motion tokens."""
        return self._brought(self._motion_resampler)

    @property
    def context_transformer(self) -> ContextTransformer:
        """Tokens of neighbours to those of a picture."""
        return self._brought(self._context_transformer)

    @property
    def calibration(self) -> TokenCalibration:
        """What the context transformer's tokens pass through."""
        return self._brought(self._calibration)

    def release(self) -> None:
        """Encoders and the other modules leave the accelerator, until they are used again."""
        models = [encoder.model for encoder in self._encoders.values()]
        self.residence.release([*models, self._motion_resampler, self._context_transformer, self._calibration])

    def _brought(self, module: Module) -> Module:
        self.residence.bring(module)
        return module

    @property
    def name(self) -> str:
        """The pack's name."""
        return self.config.name

    @property
    def retrieval_encoder(self) -> RetrievalEncoder:
        """First frames, and captions where these have no encoder of their own. Raises EncoderNotFound, PackInvalid."""
        encoder: RetrievalEncoder = self._encoder("retrieval")
        return encoder

    @property
    def captions_encoder(self) -> SentenceEncoder | None:
        """Captions in a space of their own, if the pack has such an encoder. Raises EncoderNotFound, PackInvalid,
        EncoderCodeRefused."""
        if "captions" not in self.config.encoders:
            return None
        encoder: SentenceEncoder | None = self._encoder("captions")
        return encoder

    @property
    def motion_encoder(self) -> MotionEncoder:
        """Clips to motion features. Raises EncoderNotFound, PackInvalid."""
        encoder: MotionEncoder = self._encoder("motion")
        return encoder

    @property
    def appearance_encoder(self) -> AppearanceEncoder:
        """First frames to appearance features. Raises EncoderNotFound, PackInvalid."""
        encoder: AppearanceEncoder = self._encoder("appearance")
        return encoder

    def _encoder(self, role: str) -> Any:
        if role not in self._encoders:
            require_encoder(self.config, self.folder, role)
            spec = self.config.encoders[role]
            self._encoders[role] = KINDS[spec.kind].load(spec, folder=self.folder)
        self.residence.bring(self._encoders[role].model)
        return self._encoders[role]

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits naming everything that the pack holds but its name."""
        values = {key: value for key, value in self.config.to_dict().items() if key != "name"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]

    @cached_property
    def tokens_fingerprint(self) -> str:
        """16 hex digits naming everything that motion and appearance tokens depend on."""
        parts = [self.config.encoders[role].fingerprint for role in ("motion", "appearance")]
        parts += [self.config.files[name].sha256 for name in (MOTION_RESAMPLER_FILE, APPEARANCE_RESAMPLER_FILE)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    @cached_property
    def base_source(self) -> Path | str:
        """The video model that the pack is for: its folder inside the pack if it is there, else a hub name, as
        NAME@COMMIT where the pack says which.

        Raises PackInvalid when the folder's files are not those that the pack was made with.
        """
        require_base(self.config, self.folder)
        folder = self.folder / self.config.base
        if folder.is_dir():
            return folder
        return "@".join(filter(None, (self.config.base, self.config.base_revision)))

    def base_attention_state(self) -> dict[str, torch.Tensor]:
        """Weights that replace attentions of the base model, as some backbones need; empty if the pack has none.

        Raises PackInvalid where some of them are missing, or of other shapes.
        """
        if not self._has(BASE_ATTENTION_FILE):
            return {}
        state = read_file(self.folder, self.config, BASE_ATTENTION_FILE)
        published = get_backbone(self.config.backbone).published
        if published is not None and published.base_weights_shapes is not None:
            shapes = published.base_weights_shapes(self.config.adapter.sites)
            found = {key: tuple(value.shape) for key, value in state.items()}
            wrong = sorted(key for key in shapes.keys() | found.keys() if shapes.get(key) != found.get(key))
            if wrong:
                raise PackInvalid(
                    f"Expected {len(shapes)} weights of the base model in {self.folder / BASE_ATTENTION_FILE}, found "
                    f"{len(wrong)} missing, unknown or of other shapes, the first is {wrong[0]}: convert it again."
                )
        return state

    def _has(self, name: str) -> bool:
        return name in self.config.files


def build_modules(config: PackConfig) -> tuple[Resampler, ContextTransformer, MotionAdapter]:
    """The three trained modules at a pack's sizes, with fresh weights."""
    return (
        Resampler(config.motion_resampler).eval(),
        ContextTransformer(config.context_transformer, config.appearance_resampler).eval(),
        MotionAdapter(
            token_dim=config.adapter.token_dim,
            site_dims=config.adapter.sites,
            root=get_backbone(config.backbone).root,
        ).eval(),
    )


def load_pack(name_or_folder: str | Path, *, device: str = "cpu", residence: Residence | None = None) -> MotionPack:
    """Load a pack that comes with the package by its name ("tiny"), or any pack by its folder.

    Its modules come to `device` when they are used, or as `residence` has it.

    Every file is checked against its sha256, every key and shape against the sizes in pack.json. Encoders and the base
    model are held to their fingerprints when they are first used.

    Raises PackNotFound: there is no pack.json. PackTooNew: it has a later format version. PackInvalid: files are
    damaged, missing or do not fit; every problem is listed. ModelFilesRefused: the folder holds code, pickles, or links
    that lead out of it.
    """
    folder = _locate(name_or_folder)
    config = PackConfig.from_json(folder / PACK_FILE)
    # A sentence encoder may bring code, which its loader refuses unless the user allowed this very code.
    captions = config.encoders.get("captions")
    require_plain_folder(folder, left_out=() if captions is None else (captions.source,))
    pack = MotionPack(config, folder=folder, residence=residence or Residence(device))
    appearance = read_file(folder, config, APPEARANCE_RESAMPLER_FILE)
    states = {
        MOTION_RESAMPLER_FILE: (pack._motion_resampler, read_file(folder, config, MOTION_RESAMPLER_FILE)),
        CONTEXT_TRANSFORMER_FILE: (
            pack._context_transformer,
            {APPEARANCE_PREFIX + key: value for key, value in appearance.items()}
            | read_file(folder, config, CONTEXT_TRANSFORMER_FILE),
        ),
        ADAPTER_FILE: (pack.adapter, read_file(folder, config, ADAPTER_FILE)),
    }
    if CALIBRATION_FILE in config.files:
        states[CALIBRATION_FILE] = (pack._calibration, read_file(folder, config, CALIBRATION_FILE))
    _require_fit(folder, states)
    for module, state in states.values():
        module.load_state_dict({key: value.float() for key, value in state.items()}, strict=True, assign=True)
        module.requires_grad_(False)
    return pack


def write_pack(
    folder: str | Path,
    *,
    config: PackConfig,
    motion_resampler_state: State,
    context_transformer_state: State,
    adapter_state: State,
    base_attention_state: State | None = None,
    folders: Mapping[str, Path] | None = None,
    dtype: torch.dtype | None = torch.float16,
    overwrite: bool = False,
) -> PackConfig:
    """Write a pack; the folder appears complete or not at all.

    States have the modules' own keys (`context_transformer_state` with condition_proj.*); they are stored as `dtype`,
    or as they are where it is None. `folders` copies folders into the pack (name inside the pack -> where it lies):
    encoders and the base model.
    `overwrite` replaces a pack that is there. Returns the configuration with the files' hashes.

    Raises PackInvalid: the configuration or the states contradict it, or the folder exists.
    """
    folder = Path(folder)
    config.validate()
    if folder.exists() and not (overwrite and (folder / PACK_FILE).is_file()):
        # Even overwrite replaces nothing but packs: a mistyped folder must survive.
        raise PackInvalid(f"Expected a new folder for the pack, but {folder} exists: remove it or choose another.")
    with torch.device("meta"):
        resampler, transformer, adapter = build_modules(config)
    states = {
        MOTION_RESAMPLER_FILE: (resampler, motion_resampler_state),
        CONTEXT_TRANSFORMER_FILE: (transformer, context_transformer_state),
        ADAPTER_FILE: (adapter, adapter_state),
    }
    _require_fit(folder, states)
    contents = {
        MOTION_RESAMPLER_FILE: motion_resampler_state,
        APPEARANCE_RESAMPLER_FILE: _below(context_transformer_state, APPEARANCE_PREFIX),
        CONTEXT_TRANSFORMER_FILE: {
            key: value for key, value in context_transformer_state.items() if not key.startswith(APPEARANCE_PREFIX)
        },
        ADAPTER_FILE: adapter_state,
    }
    if base_attention_state:
        contents[BASE_ATTENTION_FILE] = base_attention_state
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.parent / f".{folder.name}.tmp-{uuid.uuid4().hex[:8]}"
    try:
        draft.mkdir()
        config = replace(
            config, files={name: write_file(draft / name, state, dtype) for name, state in contents.items()}
        )
        for name, source in (folders or {}).items():
            shutil.copytree(source, draft / name)
        if (draft / config.base).is_dir():
            config = replace(config, base_fingerprint=fingerprint_folder(draft / config.base))
        config.to_json(draft / PACK_FILE)
        PackConfig.from_json(draft / PACK_FILE)
        put_in_place(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return config


def write_calibration(folder: Path, calibration: TokenCalibration) -> PackConfig:
    """Put a calibration into the pack that lies in `folder`, in place of an older one; returns its configuration.

    Killed at any moment, the pack is whole: as it was, without a calibration, or with the new one.

    Raises PackNotFound, PackInvalid: there is no pack, or the calibration is of other sizes.
    """
    folder = _locate(folder)
    config = PackConfig.from_json(folder / PACK_FILE)
    state = calibration.state_dict()
    _require_fit(folder, {CALIBRATION_FILE: (TokenCalibration.of_sizes(config.context_transformer), state)})
    others = {name: entry for name, entry in config.files.items() if name != CALIBRATION_FILE}
    # The file that is replaced is no part of the pack while it is neither the old one nor the new one.
    _replace_config(folder, replace(config, files=others))
    with whole_file(folder / CALIBRATION_FILE) as draft:
        entry = write_file(draft, state, torch.float32)
    config = replace(config, files={**others, CALIBRATION_FILE: entry})
    _replace_config(folder, config)
    return config


def _replace_config(folder: Path, config: PackConfig) -> None:
    with whole_file(folder / PACK_FILE) as draft:
        config.to_json(draft)


def _locate(name_or_folder: str | Path) -> Path:
    candidates = [PACKAGED_FOLDER / name_or_folder] if Path(name_or_folder).name == str(name_or_folder) else []
    candidates.append(Path(name_or_folder))
    for folder in candidates:
        if (folder / PACK_FILE).is_file():
            return folder.resolve()
    packaged = sorted(path.parent.name for path in PACKAGED_FOLDER.glob(f"*/{PACK_FILE}"))
    raise PackNotFound(
        f"Expected a folder with {PACK_FILE} or the name of a packaged pack ({', '.join(packaged) or 'none'}), "
        f"received {name_or_folder}: make a pack from published checkpoints with `motionrag convert`."
    )


def _require_fit(folder: Path, states: Mapping[str, tuple[nn.Module, State]]) -> None:
    problems = [
        f"{name}: {problem}" for name, (module, state) in states.items() for problem in state_problems(module, state)
    ]
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise PackInvalid(
            f"Expected weights of the sizes in {PACK_FILE} in {folder}, found others. Copy the pack again, or correct "
            f"its sizes:\n{listed}"
        )


def _below(state: State, prefix: str) -> dict[str, torch.Tensor]:
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
