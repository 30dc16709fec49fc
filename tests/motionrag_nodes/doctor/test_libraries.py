"""Libraries: really asked and really imported; what is missing, old or broken comes with the command that mends it."""

import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from motionrag_nodes.doctor.libraries import examine_comfyui, examine_libraries, requirements_of_project


def levels(*requirements: str) -> list[tuple[str, str, str]]:
    found = list(examine_libraries([Requirement(text) for text in requirements]))
    return [(finding.level, finding.message, finding.remedy) for finding in found[1:]]


def test_everything_the_project_needs_is_asked_and_is_here() -> None:
    needed = {requirement.name for requirement in requirements_of_project()}
    assert {"torch", "diffusers", "transformers", "open_clip_torch", "faiss-cpu", "decord", "av"} <= needed
    findings = list(examine_libraries())
    assert {finding.level for finding in findings} == {"ok"}
    assert ("torch", version("torch")) in {(finding.subject, finding.message) for finding in findings}


def test_missing_and_old_libraries() -> None:
    missing, old, other_platform = "no-such-thing>=1", "numpy>=9999", "no-such-thing; sys_platform == 'none'"
    found = levels(missing, old, other_platform)
    assert [level for level, *_ in found] == ["problem", "problem"]
    assert found[0][1] == "not installed, >=1 is needed" and 'pip install "no-such-thing>=1"' in found[0][2]
    assert found[1][1] == f"{version('numpy')} is installed, >=9999 is needed"


@pytest.mark.parametrize(
    ("name", "danger"),
    [("faiss-cpu", "crash on an index"), ("diffusers", "import code"), ("open_clip_torch", "read pickles")],
)
def test_what_an_old_library_means_is_said(name: str, danger: str) -> None:
    [(level, message, _)] = levels(f"{name}>=9999")
    assert level == "problem" and f"(older ones {danger}" in message


def test_a_torch_that_cannot_convert_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motionrag_nodes.doctor.libraries._version", lambda name: "2.4.1")
    [(level, message, remedy)] = levels("torch>=2.4")
    assert level == "warning" and "opens no foreign checkpoints" in message and "torch 2.6 or later" in remedy


def test_a_gpu_build_of_faiss_is_held_to_the_same_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "motionrag_nodes.doctor.libraries._version", {"faiss-gpu": None, "faiss-gpu-cu12": "1.14.1"}.get
    )
    [(level, message, _)] = levels("faiss-cpu>=1.15")
    assert level == "problem" and "1.14.1 is installed, >=1.15 is needed" in message


def test_a_library_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "faiss.py").write_text("raise OSError('libgomp.so.1 is missing')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "faiss", raising=False)
    ((level, message, remedy),) = levels("faiss-cpu>=1")
    assert level == "problem" and "cannot be imported (OSError: libgomp.so.1 is missing)" in message
    assert "pip install" in remedy
    sys.modules.pop("faiss", None)


@pytest.mark.parametrize(
    ("found", "level", "message"),
    [("0.3.75", "ok", "0.3.75 in /c"), ("0.3.9", "problem", "older than 0.3.75"), (None, "problem", "none found")],
)
def test_comfyui(found: str | None, level: str, message: str) -> None:
    finding = examine_comfyui(found, Path("/c"))
    assert finding.level == level and message in finding.message


def test_two_distributions_of_one_module_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"faiss-cpu": "1.15.0", "faiss-gpu-cu12": "1.15.0"}
    monkeypatch.setattr("motionrag_nodes.doctor.libraries._version", there.get)
    [(level, message, remedy)] = levels("faiss-cpu>=1.12")
    assert level == "warning" and "faiss-cpu and faiss-gpu-cu12 are both installed" in message
    assert "pip uninstall -y faiss-cpu faiss-gpu-cu12" in remedy
