"""Where each installed module is tested: in the test of its name, in one that imports it, or where a list says.

`tested_through.txt` holds the others, each with the test that goes through it. A new module needs a test of its own.
"""

from functools import cache
from pathlib import Path

import pytest

from editor_pictures.architecture import INSTALLED, imported_files

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "tests" / "tested_through.txt"
# Run by a ComfyUI of its own, found by name, or started as a process: no import leads there.
STARTED = ("motionrag_nodes/nodes/", "motionrag_nodes/backbones/", "index_builder/clips/worker_process.py")


def modules() -> list[Path]:
    found = (path for package in INSTALLED for path in sorted((ROOT / package).rglob("*.py")))
    return [path.relative_to(ROOT) for path in found if path.name not in ("__init__.py", "errors.py")]


def through() -> dict[Path, Path]:
    """Module -> the test that goes through it, as the list says."""
    lines = [line.split() for line in LIST.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    return {Path(module): Path(test) for module, test in lines}


@cache
def imports(file: Path) -> frozenset[Path]:
    return frozenset(imported_files(ROOT / file))


@cache
def imported_by_tests() -> frozenset[Path]:
    tests = (path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py"))
    return frozenset(module for test in tests for module in imports(test))


def has_a_test(module: Path) -> bool:
    own = Path("tests") / module.parent / f"test_{module.name}"
    return (ROOT / own).is_file() or module in imported_by_tests()


def reaches(test: Path, module: Path) -> bool:
    """Whether imports lead from the test to the module, over any number of others."""
    seen, waiting = {test}, [test]
    while waiting:
        for file in imports(waiting.pop()) - seen:
            seen.add(file)
            waiting.append(file)
    return module in seen


def test_every_module_has_a_test() -> None:
    lacking = [str(module) for module in modules() if not has_a_test(module) and module not in through()]
    assert not lacking, f"without a test: {', '.join(lacking)}"


def test_the_list_names_what_is_there_and_nothing_else() -> None:
    known = set(modules())
    for module, test in through().items():
        assert module in known, f"{module} is gone"
        assert (ROOT / test).is_file(), f"{test} is gone"
        assert not has_a_test(module), f"{module} has a test now: take it from the list"


@pytest.mark.parametrize("module", through(), ids=str)
def test_the_list_is_true(module: Path) -> None:
    if not str(module).startswith(STARTED):
        assert reaches(through()[module], module)
