"""The repository as a stranger clones it: no large file by accident, no tests in what users install."""

import fnmatch
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from PIL import Image

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML by itself")

ROOT = Path(__file__).resolve().parents[1]
MAX_BYTES = 1_000_000
# Weights of the tiny pack, which must work offline, and reference tensors of the published modules.
LARGE = (
    "motionrag_nodes/packs/tiny/**/*.safetensors",
    "motionrag_nodes/packs/tiny/*.safetensors",
    "tests/golden/context_transformer.safetensors",
    "tests/golden/dynamicrafter_unet.safetensors",
)
OUTSIDE_THE_PACKAGE = ("tests/", "training/", "benchmarks/", "editor_pictures/", ".ci/", ".github/")


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.decode().split("\0") if name]


def test_no_large_file_that_is_not_listed() -> None:
    large = [name for name in tracked() if (ROOT / name).is_file() and (ROOT / name).stat().st_size > MAX_BYTES]
    assert large
    assert not [name for name in large if not any(fnmatch.fnmatch(name, pattern) for pattern in LARGE)]


def test_names_can_be_shown_by_every_system() -> None:
    assert not [name for name in tracked() if not re.fullmatch(r"[A-Za-z0-9_./+ -]+", name)]


def test_code_that_is_installed_can_be_read_with_windows_code_pages() -> None:
    for path in tracked():
        if path.endswith(".py") and not path.startswith(OUTSIDE_THE_PACKAGE):
            (ROOT / path).read_text(encoding="utf-8").encode("cp1252")


def test_types_are_ignored_by_name_and_with_a_reason() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert config["strict"]
    assert set(config["files"]) == {"__init__.py", "index_builder", "motionrag_nodes"}
    assert not [entry for entry in config["overrides"] if "ignore_errors" in entry or "exclude" in entry]
    for name in tracked():
        if name.endswith(".py") and name.split("/")[0] in config["files"]:
            for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
                if "type: " + "ignore" in line:
                    assert re.search(r"# type: ignore\[[a-z, -]+\]  # \w", line), f"{name}: {line}"


def test_users_are_not_sent_tests_and_training() -> None:
    ignored = (ROOT / ".comfyignore").read_text(encoding="utf-8").split()
    archived = (ROOT / ".gitattributes").read_text(encoding="utf-8")
    for folder in OUTSIDE_THE_PACKAGE:
        assert folder in ignored
        assert f"/{folder.rstrip('/')} export-ignore" in archived
    include = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert include == ["motionrag_nodes*", "index_builder*"]


def test_the_registries_are_told_all_that_they_ask() -> None:
    read = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, comfy = read["project"], read["tool"]["comfy"]
    address = project["urls"]["Repository"]
    assert all(url.startswith(address) for url in project["urls"].values())
    assert {"PublisherId", "DisplayName", "Icon", "Banner", "requires-comfyui"} == set(comfy)
    assert "Operating System :: OS Independent" in project["classifiers"]
    assert any(name.startswith("Environment :: GPU ::") for name in project["classifiers"])
    raw = address.replace("github.com", "raw.githubusercontent.com") + "/main/"
    for key, shape, most in (("Icon", (1, 1), 400), ("Banner", (21, 9), 2100)):
        assert comfy[key].startswith(raw)
        with Image.open(ROOT / comfy[key].removeprefix(raw)) as picture:
            assert picture.width * shape[1] == picture.height * shape[0]
            assert picture.width <= most


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_workflows_and_forms_are_sound(path: Path) -> None:
    read = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(read, dict)
    if path.parent.name == "workflows":
        assert read["permissions"] == {"contents": "read"}
        # Pull requests of strangers run with no secret in reach.
        if "pull_request" in read[True]:
            assert "secrets." not in path.read_text(encoding="utf-8")


def test_the_changelog_knows_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert version in headings
