"""The three frozen encoders, loaded from a folder or from the local hub cache, never over the network unasked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from index_builder.content_hash import sha256_of
from index_builder.errors import EncoderNotFound as EncoderNotFound
from index_builder.features.open_clip_model import load_open_clip
from index_builder.features.preprocessing import Preprocessing, prepare_clips, prepare_frames
from index_builder.features.quiet_loading import load_whole
from index_builder.model_files.folder import files_of_model, require_plain_folder
from index_builder.model_files.hub_name import how_to_get
from index_builder.model_files.transformers_settings import require_model_settings
from index_builder.model_files.weights import require_fit, weights_files


@dataclass(frozen=True)
class EncoderSpec:
    """Which encoder, where it lies and how it wants its pixels.

    `source` is a folder relative to the pack, or a hub name, of which `revision` is the commit (40 hex digits; None for
    the one that the cache calls main). `fingerprint` identifies weights and preprocessing
    together; features of different fingerprints must never meet. An encoder of captions (kind "sentence") has no
    `preprocessing`.
    """

    kind: str
    source: str
    preprocessing: Preprocessing | None
    fingerprint: str
    revision: str | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> EncoderSpec:
        """The inverse of `to_dict`."""
        pixels = values["preprocessing"]
        return cls(**{**values, "preprocessing": None if pixels is None else Preprocessing.from_dict(pixels)})

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dictionary."""
        return {
            "kind": self.kind,
            "source": self.source,
            "preprocessing": None if self.preprocessing is None else self.preprocessing.to_dict(),
            "fingerprint": self.fingerprint,
            **({} if self.revision is None else {"revision": self.revision}),
        }

    @property
    def fetch_command(self) -> str:
        """What brings it into the hub cache."""
        return how_to_get(self.source, self.revision)


def fingerprint_encoder(kind: str, source: str | Path, preprocessing: Preprocessing | None) -> str:
    """sha256 (16 hex digits) over the kind, the preprocessing and the weights: all files of a folder, or a hub name."""
    pixels = sorted(preprocessing.to_dict().items()) if preprocessing else None
    digest = hashlib.sha256(f"{kind}\n{pixels}\n".encode())
    folder = Path(source)
    if not folder.is_dir():
        digest.update(str(source).encode())
    else:
        for path in files_of_model(folder):
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(bytes.fromhex(sha256_of(path)))
    return digest.hexdigest()[:16]


def locate_encoder(spec: EncoderSpec, folder: Path, kind: str, *, code_allowed: bool = False) -> Path:
    """The folder inside the pack if it is there, else the snapshot in the local hub cache; never the network.

    What lies in it has been checked by name and place, see `require_plain_folder`; with `code_allowed` a folder inside
    the pack may hold Python files.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    if spec.kind != kind:
        raise EncoderNotFound(f"expected an encoder of kind {kind}, received {spec.kind}: correct it in pack.json")
    if (folder / spec.source).is_dir():
        require_plain_folder(folder / spec.source, code_allowed=code_allowed)
        return folder / spec.source
    try:
        snapshot = Path(snapshot_download(spec.source, revision=spec.revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise encoder_not_found(spec, error) from error
    require_plain_folder(snapshot, in_hub_cache=True)
    return snapshot


def encoder_not_found(spec: EncoderSpec, error: Exception) -> EncoderNotFound:
    """The error of an encoder that is not on this machine, with the remedy."""
    return EncoderNotFound(
        f"expected the {spec.kind} encoder {spec.source} in the pack's folder or the local hub cache, found it in "
        f"neither: {spec.fetch_command} ({error})"
    )


class RetrievalEncoder:
    """open_clip: captions and first frames in one embedding space (https://github.com/mlfoundations/open_clip)."""

    def __init__(self, model: torch.nn.Module, tokenizer: Any, spec: EncoderSpec, device: str) -> None:
        self.model, self.tokenizer, self.spec, self.device = model.eval().to(device), tokenizer, spec, device
        self.fingerprint = spec.fingerprint
        self.dim = int(model.text_projection.shape[-1])
        self.description = f"{spec.kind} {Path(spec.source).name} ({self.dim})"

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """B texts -> float32 [B, E], L2-normalised."""
        tokens = self.tokenizer(list(texts)).to(self.device)
        return self.model.encode_text(tokens, normalize=True).float().cpu().numpy()

    @torch.inference_mode()
    def encode_frames(self, frames: np.ndarray) -> np.ndarray:
        """uint8 RGB [B, H, W, 3] -> float32 [B, E], L2-normalised."""
        pixels = prepare_frames(frames, self.spec.preprocessing).to(self.device)
        return self.model.encode_image(pixels, normalize=True).float().cpu().numpy()


class MotionEncoder:
    """VideoMAE: a clip -> one feature per 2-frame tube of patches (arXiv 2509.26391; published: [1568, 768])."""

    def __init__(self, model: torch.nn.Module, spec: EncoderSpec, device: str) -> None:
        self.model, self.spec, self.device = model.eval().to(device), spec, device
        self.fingerprint = spec.fingerprint

    @torch.inference_mode()
    def encode(self, clips: Sequence[np.ndarray] | np.ndarray) -> torch.Tensor:
        """B clips uint8 RGB [T, H, W, 3] -> float32 [B, N, C]."""
        return self.encode_prepared(prepare_clips(clips, self.spec.preprocessing))

    @torch.inference_mode()
    def encode_prepared(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalised [B, frames, C, H, W] -> float32 [B, N, C]."""
        return self.model(pixels.to(self.device)).last_hidden_state.float()


class AppearanceEncoder:
    """DINOv2: a first frame -> CLS and patch features (arXiv 2509.26391; published: [257, 1024])."""

    def __init__(self, model: torch.nn.Module, spec: EncoderSpec, device: str) -> None:
        self.model, self.spec, self.device = model.eval().to(device), spec, device
        self.fingerprint = spec.fingerprint

    @torch.inference_mode()
    def encode(self, frames: np.ndarray) -> torch.Tensor:
        """uint8 RGB [B, H, W, 3] -> float32 [B, N, C]."""
        pixels = prepare_frames(frames, self.spec.preprocessing).to(self.device)
        return self.model(pixels).last_hidden_state.float()


def load_retrieval_encoder(spec: EncoderSpec, *, folder: Path, device: str = "cpu") -> RetrievalEncoder:
    """Load open_clip from a pack's folder or from the local hub cache.

    Raises:
        EncoderNotFound: the files are not on this machine, or only as a pickle.
        ModelFilesRefused: they hold, or would lead a library to, anything but safetensors and known settings.
    """
    located = locate_encoder(spec, folder, "open_clip")
    try:
        model, tokenizer = load_open_clip(located)
    except FileNotFoundError as error:
        raise encoder_not_found(spec, error) from error
    return RetrievalEncoder(model, tokenizer, spec, device)


def load_motion_encoder(spec: EncoderSpec, *, folder: Path, device: str = "cpu") -> MotionEncoder:
    """Load VideoMAE from a pack's folder or from the local hub cache.

    Raises:
        EncoderNotFound: the files are not on this machine.
        EncoderIncomplete: their file lacks weights.
        ModelFilesRefused: they hold, or would lead a library to, anything but safetensors and known settings.
    """
    from transformers import VideoMAEModel

    return MotionEncoder(_load_transformers(VideoMAEModel, "videomae", spec, folder), spec, device)


def load_appearance_encoder(spec: EncoderSpec, *, folder: Path, device: str = "cpu") -> AppearanceEncoder:
    """Load DINOv2 from a pack's folder or from the local hub cache.

    Raises:
        EncoderNotFound: the files are not on this machine.
        EncoderIncomplete: their file lacks weights.
        ModelFilesRefused: they hold, or would lead a library to, anything but safetensors and known settings.
    """
    from transformers import Dinov2Model

    return AppearanceEncoder(_load_transformers(Dinov2Model, "dinov2", spec, folder), spec, device)


def _load_transformers(model_class: Any, kind: str, spec: EncoderSpec, folder: Path) -> torch.nn.Module:
    located = locate_encoder(spec, folder, kind)
    require_model_settings(located, model_class.config_class)
    try:
        with torch.device("meta"):
            config = model_class.config_class.from_pretrained(located, local_files_only=True)
            require_fit(model_class(config), weights_files(located), what=f"the model in {located}")
        return load_whole(model_class, located)
    except (OSError, ValueError) as error:
        raise encoder_not_found(spec, error) from error
