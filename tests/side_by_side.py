"""How the tests are spread over processes: file by file, the longest first, and together those that share much."""

from __future__ import annotations

from fnmatch import fnmatch

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

# Files that share what a process makes once run in one process, one after the other. They begin first. Each of the
# first two has a ComfyUI of its own, for which it waits much of the time.
SHARES = {
    "a page of ComfyUI": (
        "tests/comfyui/test_browser*.py",
        "tests/comfyui/test_demo_notice.py",
        "tests/comfyui/test_workflow_check.py",
    ),
    "ComfyUI": ("tests/comfyui/test_[!p]*.py",),
    "the packaged pack with a small database": ("tests/training/evaluation/*",),
}
# Files that take long, the longest first: one that is begun last would keep a processor when all others are idle.
LONG = (
    "tests/index_builder/database/commit/test_durable_files.py",
    "tests/comfyui/test_poison.py",
    "tests/index_builder/clips/test_against_ffmpeg.py",
    "tests/motionrag_nodes/batch_render/queue/test_kill.py",
    "tests/index_builder/database/commit/test_claims.py",
    "tests/motionrag_nodes/batch_render/queue/test_workers.py",
    "tests/motionrag_nodes/backbones/test_contract.py",
    "tests/index_builder/engines/test_ray_engine.py",
    "tests/motionrag_nodes/packs/test_tiny.py",
    "tests/training/test_stages.py",
)
BEGUN_FIRST = (*SHARES, *LONG)


def share_of(file: str) -> str:
    """What a file runs together with: the name of a share, or itself alone."""
    return next((name for name, files in SHARES.items() if any(fnmatch(file, each) for each in files)), file)


class LongestFirst(LoadFileScheduling):
    """xdist's scheduler by files, with the shares above."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(super()._split_scope(nodeid))

    def _assign_work_unit(self, node: WorkerController) -> None:
        following = min(self.workqueue, key=lambda share: _turn(share), default=None)
        if following is not None:
            self.workqueue.move_to_end(following, last=False)
        super()._assign_work_unit(node)


def _turn(share: str) -> int:
    return BEGUN_FIRST.index(share) if share in BEGUN_FIRST else len(BEGUN_FIRST)
