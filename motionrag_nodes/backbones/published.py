"""The shape of what the method's authors published for a backbone: sizes, files, and which key goes where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from motionrag_nodes.backbones.settings import Settings

# Files of a published folder, by role.
MOTION_PROJ, MOTION_TRANSFORMER, ADAPTER, BASE_WEIGHTS = "motion_proj", "motion_transformer", "adapter", "base_weights"
# Parts of a pack.
MOTION_RESAMPLER, CONTEXT_TRANSFORMER = "motion_resampler", "context_transformer"
MOTION_ADAPTER, BASE_ATTENTION = "motion_adapter", "base_attention"

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

    base: the base model's hub name. sites: each adapted attention with its width. settings: how the authors generate.
    rules: for the files that are the backbone's own. base_weights: the name of the file with weights that replace some
    of the base's, and its keys and shapes for the sites of an adapter; None where there is none.
    """

    base: str
    sites: Mapping[str, int]
    settings: Settings
    rules: tuple[KeyRule, ...]
    base_weights_file: str | None = None
    base_weights_shapes: Callable[[Mapping[str, int]], Shapes] | None = None
