"""The wheel that users install: complete without the checkout, and without what is only for building it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("motionrag_nodes", "index_builder", "pyproject.toml", "README.md", "LICENSE", "requirements.txt")
PARTS_THAT_ARE_NO_CODE = (
    "motionrag_nodes/packs/tiny/pack.json",
    "motionrag_nodes/web/docs/MotionRAGRetrieveNeighbours.md",
    "motionrag_nodes/samples/input/motionrag_circle.png",
    "motionrag_nodes/samples/motionrag_clips/0000_heart.mp4",
)


def _weights_and_caches(folder: str, names: list[str]) -> set[str]:
    """Left out of the copy: to compress the pack's weights takes longer than all the rest."""
    weights = {name for name in names if name.endswith(".safetensors")} if "packs" in Path(folder).parts else set()
    return weights | ({"__pycache__"} & set(names))


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's content, built from a copy so that nothing is left in the checkout."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=_weights_and_caches)
        else:
            shutil.copyfile(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", source, source]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode and "No module named pip" in built.stderr:
        pytest.skip("no pip in this environment")
    assert built.returncode == 0, built.stderr
    (wheel,) = source.glob("motionrag-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_a_wheel_holds_the_packages_and_nothing_else(unpacked: Path) -> None:
    folders = {path.name for path in unpacked.iterdir() if path.suffix != ".dist-info"}
    assert folders == {"motionrag_nodes", "index_builder"}
    built = {path.relative_to(unpacked) for name in folders for path in (unpacked / name).rglob("*.py")}
    assert built == {path.relative_to(ROOT) for name in folders for path in (ROOT / name).rglob("*.py")}
    for part in PARTS_THAT_ARE_NO_CODE:
        assert (unpacked / part).is_file()


def test_a_wheel_works_without_the_checkout(unpacked: Path, tmp_path: Path) -> None:
    database = unpacked / "motionrag_nodes" / "samples" / "databases" / "demo_world"
    told = subprocess.run(
        [sys.executable, "-m", "motionrag_nodes.cli.main", "index", "inspect", str(database), "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert '"clips"' in told.stdout


def test_the_demo_runs_from_a_wheel(unpacked: Path, tmp_path: Path) -> None:
    """Weights were left out when it was built; they are laid in its place."""
    for weights in (ROOT / "motionrag_nodes" / "packs").rglob("*.safetensors"):
        laid = unpacked / weights.relative_to(ROOT)
        if not laid.exists():
            shutil.copyfile(weights, laid)
    told = subprocess.run(
        [sys.executable, "-m", "motionrag_nodes.cli.main", "demo", "--output", "demo", "--steps", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert "what if" in told.stdout
    assert (tmp_path / "demo" / "grid.mp4").stat().st_size and (
        tmp_path / "demo" / "database" / "report.html"
    ).is_file()
