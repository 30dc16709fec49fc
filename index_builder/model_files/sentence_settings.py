"""What a sentence-transformers folder may say: modules of a table, each with its own settings only.

sentence-transformers (https://www.sbert.net) imports the class that modules.json names, and some of its own modules
import what their settings name in turn, or open pickles: only those that compute are let through.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from index_builder.border import border, read_regular
from index_builder.errors import ModelFilesRefused
from index_builder.model_files.settings_file import MAX_BYTES, read_settings, require_keys

MODULES_FILE, OWN_FILE = "modules.json", "config_sentence_transformers.json"
MAX_MODULES = 16

_OWN = "sentence_transformers."
_PLACE = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9_.-]{0,63})?")
# The files in which a Transformer's settings may stand, of which the library takes the first that is there.
_TRANSFORMER_FILES = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_TRANSFORMER_KEYS = ("max_seq_length", "do_lower_case", "transformer_task", "modality_config", "module_output_name")
_KEYS = {
    "Pooling": frozenset(
        "word_embedding_dimension embedding_dimension pooling_mode include_prompt pooling_mode_cls_token "
        "pooling_mode_mean_tokens pooling_mode_max_tokens pooling_mode_mean_sqrt_len_tokens "
        "pooling_mode_weightedmean_tokens pooling_mode_lasttoken".split()
    ),
    "Dense": frozenset(
        "in_features out_features bias activation_function module_input_name module_output_name".split()
    ),
    "LayerNorm": frozenset({"dimension"}),
    "Normalize": frozenset(),
}
_ACTIVATIONS = frozenset(
    [f"torch.nn.modules.activation.{name}" for name in ("Tanh", "ReLU", "GELU", "SiLU", "Sigmoid")]
    + ["torch.nn.modules.linear.Identity"]
)
_OWN_KEYS = ("__version__", "prompts", "default_prompt_name", "similarity_fn_name", "model_type", "truncate_dim")
_PICKLES = frozenset(".bin .pt .pth .ckpt .pkl".split())


def require_sentence_folder(folder: Path) -> None:
    """Check the settings by which sentence-transformers puts a model together, and that none of its modules would be
    read from a pickle. What transformers reads of it is checked apart.

    Raises ModelFilesRefused: a module or key outside the tables here, or weights in no safetensors file.
    """
    for kind, place in _modules(folder):
        if kind == "Transformer":
            _require_transformer(place)
        elif (place / "config.json").exists():
            values = read_settings(place / "config.json")
            require_keys(place / "config.json", values, _KEYS[kind])
            activation = values.get("activation_function", next(iter(_ACTIVATIONS)))
            if activation not in _ACTIVATIONS:
                raise _refused(place / "config.json", f"the activation {str(activation)[:60]!r}")
        _require_no_pickle(place)
    if (folder / OWN_FILE).exists():
        values = read_settings(folder / OWN_FILE)
        require_keys(folder / OWN_FILE, values, _OWN_KEYS)
        prompts = values.get("prompts") or {}
        if not isinstance(prompts, dict) or not all(isinstance(text, str) for text in prompts.values()):
            raise _refused(folder / OWN_FILE, "prompts of another type than texts")


def _modules(folder: Path) -> list[tuple[str, Path]]:
    """(class, folder) of each module."""
    path = folder / MODULES_FILE

    def refusal(reason: str) -> ModelFilesRefused:
        return _refused(path, reason)

    try:
        with border(refusal):
            entries = json.loads(read_regular(path, most_bytes=MAX_BYTES).decode("utf-8"))
    except OSError as error:
        raise refusal(str(error)) from error
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_MODULES:
        raise refusal("no list of modules")
    found = []
    for entry in entries:
        if not isinstance(entry, dict) or not entry.keys() <= {"idx", "name", "path", "type", "kwargs"}:
            raise refusal(f"the module {str(entry)[:60]!r}")
        kind, place = str(entry.get("type")), entry.get("path")
        name = kind.rpartition(".")[2]
        if not kind.startswith(_OWN) or (name != "Transformer" and name not in _KEYS):
            raise refusal(f"a module of the class {kind[:80]!r}")
        if not isinstance(place, str) or not _PLACE.fullmatch(place) or ".." in place:
            raise refusal(f"a module at {str(place)[:60]!r}")
        if entry.get("kwargs"):
            raise refusal("a module with arguments of its own")
        found.append((name, folder / place))
    return found


def _require_transformer(place: Path) -> None:
    for name in _TRANSFORMER_FILES:
        if not (place / name).exists():
            continue
        values = read_settings(place / name)
        require_keys(place / name, values, _TRANSFORMER_KEYS)
        task = values.get("transformer_task", "feature-extraction")
        ways: Any = values.get("modality_config", {"text": {"method": "forward"}})
        # The library calls the model's method of that name.
        plain = isinstance(ways, dict) and ways.keys() == {"text"} and isinstance(ways["text"], dict)
        if task != "feature-extraction" or not plain or ways["text"].get("method") != "forward":
            raise _refused(place / name, "another way than to encode texts")


def _require_no_pickle(place: Path) -> None:
    whole = (place / "model.safetensors").is_file() or (place / "model.safetensors.index.json").is_file()
    pickles = [path.name for path in place.iterdir() if path.suffix.lower() in _PICKLES] if place.is_dir() else []
    if pickles and not whole:
        raise _refused(place, f"no .safetensors file beside {sorted(pickles)[0]}")


def _refused(path: Path, found: str) -> ModelFilesRefused:
    return ModelFilesRefused(
        f"Expected a sentence encoder of transformers' own models and plain modules, found {found} in {path}: choose "
        "another one, or one whose safetensors files are all there."
    )
