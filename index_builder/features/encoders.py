"""What encoders of every kind have in common: their description, fingerprint, and where they are found.

They lie in a pack's folder or in the local hub cache, and are never fetched over the network unasked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from index_builder.content_hash import sha256_of
from index_builder.errors import EncoderNotFound as EncoderNotFound
from index_builder.errors import InvalidSetting
from index_builder.features.preprocessing import Preprocessing
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

    @property
    def pixels(self) -> Preprocessing:
        """How an encoder of pictures wants them. Raises InvalidSetting for an encoder of captions."""
        if self.preprocessing is None:
            raise InvalidSetting(
                f"Expected an encoder of pictures, received {self.kind}: name one that reads pictures."
            )
        return self.preprocessing

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
        raise EncoderNotFound(f"Expected an encoder of kind {kind}, received {spec.kind}: correct it in pack.json.")
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
        f"Expected the {spec.kind} encoder {spec.source} in the pack's folder or the local hub cache, found it in "
        f"neither: {spec.fetch_command} ({error})."
    )


def load_transformers_model(model_class: Any, kind: str, spec: EncoderSpec, folder: Path) -> torch.nn.Module:
    """A model of transformers that an encoder is made of, held to its weights.

    Raises EncoderNotFound, EncoderIncomplete, ModelFilesRefused: see the loaders of each kind.
    """
    located = locate_encoder(spec, folder, kind)
    require_model_settings(located, model_class.config_class)
    try:
        with torch.device("meta"):
            config = model_class.config_class.from_pretrained(located, local_files_only=True)
            require_fit(model_class(config), weights_files(located), what=f"the model in {located}")
        return load_whole(model_class, located)
    except (OSError, ValueError) as error:
        raise encoder_not_found(spec, error) from error
