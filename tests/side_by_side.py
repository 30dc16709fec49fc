"""How the tests are spread over processes: file by file, the longest first, and files that share a ComfyUI together."""

from __future__ import annotations

from fnmatch import fnmatch

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

# Each of these has a ComfyUI of its own, begun first: its files run one by one, and much of the time wait for it.
COMFYUI = {
    "a page of ComfyUI": (
        "tests/comfyui/test_browser*.py",
        "tests/comfyui/test_demo_notice.py",
        "tests/comfyui/test_workflow_check.py",
    ),
    "ComfyUI": ("tests/comfyui/test_[!p]*.py",),
}
# Files that take long, the longest first: one that is begun last would keep a processor when all others are idle.
LONG = (
    "tests/training/evaluation/test_evaluate.py",
    "tests/training/evaluation/test_golden_frames.py",
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
BEGUN_FIRST = (*COMFYUI, *LONG)


def share_of(file: str) -> str:
    """What a file runs together with: the name of a ComfyUI, or itself alone."""
    return next((name for name, files in COMFYUI.items() if any(fnmatch(file, each) for each in files)), file)


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
