"""The shape of what the method's authors published for a backbone: sizes, files, and which key goes where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from motionrag_nodes.backbones.hub_source import HubSource
from motionrag_nodes.backbones.settings import Settings

# Files of a published folder, by role.
MOTION_PROJ, MOTION_TRANSFORMER, ADAPTER, BASE_WEIGHTS = "motion_proj", "motion_transformer", "adapter", "base_weights"
# Parts of a pack.
MOTION_RESAMPLER, CONTEXT_TRANSFORMER = "motion_resampler", "context_transformer"
MOTION_ADAPTER, BASE_ATTENTION = "motion_adapter", "base_attention"

# The files' names in the folder of a backbone.
FILE_NAMES = {
    MOTION_PROJ: "motion_proj.ckpt",
    MOTION_TRANSFORMER: "motion_transformer.ckpt",
    ADAPTER: "Motion-Adapter.ckpt",
}

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class KeyRule:
    """Keys of `file` that begin with `file_prefix` are those of `part` that begin with `part_prefix`.

    A `copy` repeats weights that another file holds: it may be absent, and must agree with them where it is present.
    endings: how keys of the part end -> how those of the file do, where they differ. drawn: endings (in the part) of
    linear layers that were neither trained nor saved: where the file lacks them, they get start values of their kind.
    """

    file: str
    file_prefix: str
    part: str
    part_prefix: str
    copy: bool = False
    endings: Mapping[str, str] = field(default_factory=dict)
    drawn: tuple[str, ...] = ()


@dataclass(frozen=True)
class Published:
    """What was published for a backbone.

    base: the base model's files on the hub. weights: the method's own files there. sites: each adapted attention with
    its width. settings: how the authors generate. rules: for the files that are the backbone's own. base_weights: the
    name of the file with weights that replace some of the base's, and its keys and shapes for the sites of an adapter;
    None where there is none.
    """

    base: HubSource
    weights: HubSource
    sites: Mapping[str, int]
    settings: Settings
    rules: tuple[KeyRule, ...]
    base_weights_file: str | None = None
    base_weights_shapes: Callable[[Mapping[str, int]], Shapes] | None = None

    def file_of(self, role: str) -> str | None:
        """The name on the hub of the method's file for a role; None where the backbone has none."""
        name = self.base_weights_file if role == BASE_WEIGHTS else FILE_NAMES[role]
        return next((file for file in self.weights.files if file.rsplit("/", 1)[-1] == name), None)


def published_weights(folder: str, *more: str) -> HubSource:
    """The method's own files for one base model, as its authors keep them: in `folder`, with `more` of its own."""
    return HubSource(
        repo="MCG-NJU/MotionRAG",
        revision="e07b00a36d9ba89fb30fe4581e697d7de5ce2e8c",
        purpose="motion weights",
        licence="apache-2.0",
        files=tuple(f"checkpoints/{folder}/{name}" for name in (*FILE_NAMES.values(), *more)),
    )
