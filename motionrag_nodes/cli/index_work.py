"""Options and progress of work that takes long or removes: how indexes are made, dry runs, a bar that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from motionrag_nodes.cli.terminal import Console

if TYPE_CHECKING:
    from index_builder.database.search.certified_index import IndexPlan

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")]
TargetRecall = Annotated[
    float,
    typer.Option(
        "--target-recall",
        help="Minimum share of the true ten nearest that an approximate index must find, 0 to 1; below it, no index is "
        "published.",
    ),
]
DEFAULT_TARGET_RECALL = 0.95


class IndexKind(str, Enum):
    """Kinds of indexes, as `IndexPlan` names them."""

    auto = "auto"
    flat = "flat"
    hnsw = "hnsw"
    ivf = "ivf"


def index_plan(
    *, target_recall: float, kind: IndexKind = IndexKind.auto, progress: Callable[[int, int], None] | None = None
) -> IndexPlan:
    """The plan that the options ask for."""
    from index_builder.database.search.certified_index import IndexPlan

    return IndexPlan(kind=kind.value, target_recall=target_recall, progress=progress)


@contextmanager
def counting_bars(*names: str) -> Iterator[list[Callable[[int, int], None]]]:
    """Bars on stderr, one for each of `names`: callbacks that take what is done and what there is in all. A bar shows
    once its callback is called."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks = [bars.add_task(name, total=None, visible=False) for name in names]

        def teller(task: TaskID) -> Callable[[int, int], None]:
            return lambda done, total: bars.update(task, completed=done, total=total, visible=True)

        yield [teller(task) for task in tasks]
