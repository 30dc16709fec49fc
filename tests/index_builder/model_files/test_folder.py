"""A model's folder is refused for what it holds, by the file's name, wherever in it the file lies."""

import json
import os
from pathlib import Path

import pytest

from index_builder.errors import ModelFilesRefused
from index_builder.model_files.folder import CODE_SUFFIXES, PICKLE_SUFFIXES, files_of_model, require_plain_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "model"
    (model / "unet").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "README.md", "unet/config.json", "vocab.txt", "spiece.model"):
        (model / name).write_text("{}")
    return model


def test_weights_settings_and_texts_are_welcome(folder: Path) -> None:
    require_plain_folder(folder)


@pytest.mark.parametrize("suffix", sorted(CODE_SUFFIXES | PICKLE_SUFFIXES))
def test_code_and_pickles_are_named(folder: Path, suffix: str) -> None:
    (folder / "unet" / f"planted{suffix.upper()}").write_bytes(b"x")
    with pytest.raises(ModelFilesRefused, match=f"found unet/planted{suffix.upper()}: "):
        require_plain_folder(folder)
    require_plain_folder(folder, in_hub_cache=True)


def test_hidden_folders_are_not_looked_at(folder: Path) -> None:
    (folder / ".git" / "hooks").mkdir(parents=True)
    (folder / ".git" / "hooks" / "update.sh").write_text("")
    require_plain_folder(folder)
    assert not any(".git" in path.parts for path in files_of_model(folder))


@pytest.mark.parametrize("in_hub_cache", [False, True])
def test_links_that_lead_out_are_refused(folder: Path, in_hub_cache: bool) -> None:
    outside = folder.parents[2] / "elsewhere.safetensors"
    (folder / "unet" / "linked.safetensors").symlink_to(outside)
    with pytest.raises(ModelFilesRefused, match=r"unet/linked\.safetensors: it is a link that leads out"):
        require_plain_folder(folder, in_hub_cache=in_hub_cache)


def test_a_linked_folder_that_leads_out_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (folder / "vae").symlink_to(tmp_path / "other", target_is_directory=True)
    with pytest.raises(ModelFilesRefused, match="vae: it is a link that leads out"):
        require_plain_folder(folder)


def test_links_inside_are_welcome(folder: Path) -> None:
    (folder / "again.safetensors").symlink_to("model.safetensors")
    require_plain_folder(folder)


def test_the_model_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    require_plain_folder(tmp_path / "link")


def test_pipes_are_refused(folder: Path) -> None:
    os.mkfifo(folder / "model-2.safetensors")
    with pytest.raises(ModelFilesRefused, match="neither a file nor a folder"):
        require_plain_folder(folder)


@pytest.mark.parametrize("in_hub_cache", [False, True])
def test_adapters_that_name_other_models_are_refused(folder: Path, in_hub_cache: bool) -> None:
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "nobody/else"}')
    with pytest.raises(ModelFilesRefused, match=r"adapter_config\.json: libraries follow it"):
        require_plain_folder(folder, in_hub_cache=in_hub_cache)


@pytest.mark.parametrize("in_hub_cache", [False, True])
@pytest.mark.parametrize(
    "target", ["w.bin", "../../model.safetensors", "unet/x.safetensors", "..\\x.safetensors", "/etc/x.safetensors"]
)
def test_an_index_may_name_only_safetensors_beside_it(folder: Path, target: str, in_hub_cache: bool) -> None:
    index = folder / "unet" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": target}}))
    with pytest.raises(ModelFilesRefused, match=r"unet/model\.safetensors\.index\.json: it names"):
        require_plain_folder(folder, in_hub_cache=in_hub_cache)


@pytest.mark.parametrize("text", ['{"weight_map": ["a"]}', "{}", '{"weight_map": {"a": 3}}'])
def test_an_index_without_a_map_is_refused(folder: Path, text: str) -> None:
    (folder / "model.safetensors.index.json").write_text(text)
    with pytest.raises(ModelFilesRefused, match="it maps no tensors to files"):
        require_plain_folder(folder)


def test_an_index_of_parts_that_are_there_is_welcome(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    index.write_text('{"metadata": {"total_size": 1}, "weight_map": {"a": "model.safetensors"}}')
    require_plain_folder(folder)
    index.write_text('{"weight_map": {"a": "model-00002.safetensors"}}')
    with pytest.raises(ModelFilesRefused, match="which is not there"):
        require_plain_folder(folder)


def test_a_folder_may_be_left_to_its_own_loader(folder: Path) -> None:
    (folder / "words").mkdir()
    (folder / "words" / "own.py").write_text("")
    (folder / "words.py").write_text("")
    with pytest.raises(ModelFilesRefused, match=r"found words\.py"):
        require_plain_folder(folder, left_out=("words",))
    (folder / "words.py").unlink()
    require_plain_folder(folder, left_out=("words",))
