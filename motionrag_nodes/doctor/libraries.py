"""Libraries: what is installed, whether it is what MotionRAG needs, and whether it can be imported."""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from motionrag_nodes.doctor.findings import Finding, ok, problem, warning

TOPIC = "libraries"
OLDEST_COMFYUI = "0.3.75"
_MODULES = {
    "open_clip_torch": "open_clip",
    "faiss-cpu": "faiss",
    "decord2": "decord",
    "pillow": "PIL",
}
# A distribution that does the same serves as well.
_STAND_INS = {
    "faiss-cpu": ("faiss-gpu", "faiss-gpu-cu12"),
    "decord": ("decord2", "eva-decord"),
    "decord2": ("decord",),
}
# Distributions that overwrite each other's files.
_SHARED_MODULES = frozenset({"faiss-cpu"})

# What an older version than the requirement means, where it is more than a missing feature.
_DANGER_OF_OLDER = {
    "diffusers": "older ones import code from a model's folder",
    "faiss-cpu": "older ones crash on an index that was made to crash them",
    "open_clip_torch": "older ones read pickles from a model's folder",
    "pyarrow": "older ones run code from a crafted file",
    "pillow": "older ones have known holes in reading pictures",
}
_SAFE_TORCH = Version("2.6")


def examine_libraries(requirements: list[Requirement] | None = None) -> Iterator[Finding]:
    """The interpreter, then every requirement: version and a real import."""
    yield ok(TOPIC, "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for requirement in requirements_of_project() if requirements is None else requirements:
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _examined(requirement)


def examine_comfyui(version: str | None, folder: Path | None) -> Finding:
    """Whether there is a ComfyUI, new enough for these nodes."""
    if version is None:
        remedy = "set COMFYUI_PATH to your ComfyUI folder, or name it with --comfyui"
        return problem("ComfyUI", "ComfyUI", "none found: neither nodes nor motionrag render can run", remedy)
    where = f"{version} in {folder}"
    if version != "unknown" and Version(version) < Version(OLDEST_COMFYUI):
        return problem("ComfyUI", "ComfyUI", f"{where} is older than {OLDEST_COMFYUI}", "update ComfyUI")
    return ok("ComfyUI", "ComfyUI", where)


def requirements_of_project() -> list[Requirement]:
    """From the installed package, else from the checkout's requirements.txt (linked into custom_nodes)."""
    try:
        lines = importlib.metadata.requires("motionrag") or []
    except importlib.metadata.PackageNotFoundError:
        lines = (Path(__file__).resolve().parents[2] / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def _examined(requirement: Requirement) -> Finding:
    name = requirement.name
    install = f'{Path(sys.executable).name} -m pip install "{name}{requirement.specifier}"'
    found = [(each, _version(each)) for each in (name, *_STAND_INS.get(name, ()))]
    installed = next(((each, version) for each, version in found if version), None)
    if installed is None:
        return problem(TOPIC, name, f"not installed, {requirement.specifier} is needed", install)
    chosen, version = installed
    if name in _SHARED_MODULES and sum(bool(each) for _, each in found) > 1:
        names = [each for each, there in found if there]
        return warning(
            TOPIC,
            name,
            f"{' and '.join(names)} are both installed and share the module {_MODULES[name]}: whichever came last is "
            "in use, in parts",
            f"{Path(sys.executable).name} -m pip uninstall -y {' '.join(names)}, then install the one you want",
        )
    counted_alike = chosen == name or chosen.startswith("faiss")
    if counted_alike and not requirement.specifier.contains(version, prereleases=True):
        danger = f" ({_DANGER_OF_OLDER[name]})" if name in _DANGER_OF_OLDER else ""
        return problem(TOPIC, name, f"{version} is installed, {requirement.specifier} is needed{danger}", install)
    module = _MODULES.get(name, name)
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken binary may raise anything
        return problem(TOPIC, name, f"{version} cannot be imported ({type(error).__name__}: {error})", install)
    if name == "torch" and Version(version) < _SAFE_TORCH:
        message = f"{version} works, but opens no foreign checkpoints: its weights_only can be led to run code"
        return warning(TOPIC, name, message, f"motionrag convert needs torch {_SAFE_TORCH} or later")
    return ok(TOPIC, chosen, version)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
