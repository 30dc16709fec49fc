"""Settings files of others are read within limits, and numbers out of all proportion are named."""

from pathlib import Path

import pytest

from index_builder.errors import ModelFilesRefused
from index_builder.model_files.settings_file import (
    MAX_BYTES,
    read_settings,
    require_keys,
    require_layers,
    require_sizes,
)


@pytest.mark.parametrize(
    "text", ["", "[1]", "null", "{", "[" * 100_000, '{"a": ' * 50_000, '"text"', "\ud800".encode("utf-8", "replace")]
)
def test_what_is_no_object_is_refused(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelFilesRefused, match=r"Expected a JSON object of settings at .*config.json"):
        read_settings(path)


def test_bytes_that_are_no_text_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00\x80")
    for name in ("binary.json", "missing.json"):
        with pytest.raises(ModelFilesRefused, match=name):
            read_settings(tmp_path / name)


def test_a_file_of_all_memory_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ModelFilesRefused, match=f"more than {MAX_BYTES} bytes"):
        read_settings(path)


def test_unknown_keys_are_listed(tmp_path: Path) -> None:
    require_keys(tmp_path, {"a": 1}, ("a", "b"))
    with pytest.raises(ModelFilesRefused, match="at inner, found c, d: settings that"):
        require_keys(tmp_path, {"a": 1, "d": 2, "c": 3}, ("a", "b"), where="inner")


@pytest.mark.parametrize("value", [10**9, -(10**9), [1, [10**30]], {"b": {"c": 10**8}}])
def test_numbers_out_of_proportion_are_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(ModelFilesRefused, match="Expected numbers up to 10,000,000"):
        require_sizes(tmp_path, {"a": value})
    require_sizes(tmp_path, {"a": True, "b": 1e30, "c": "x", "d": None, "e": 300_000, "model_max_length": 10**30})


@pytest.mark.parametrize("key", ["num_hidden_layers", "layers", "layers_per_block", "num_layers", "depth"])
def test_more_layers_than_any_model_has_are_refused(tmp_path: Path, key: str) -> None:
    for value in (10**6, -1, [1, 10**6]):
        with pytest.raises(ModelFilesRefused, match=f"Expected {key} from 0 to 512"):
            require_layers(tmp_path, {key: value})
    require_layers(tmp_path, {key: [1, 2], "layerscale_value": 1e6, "layer_norm_eps": 10**6})
