"""Where results go: a template of job, node and index, proved to be unique over the whole batch before it starts."""

from __future__ import annotations

import re
import string
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.batch_render.jobs.names import safe_name
from motionrag_nodes.batch_render.workflow_file import ApiGraph

DEFAULT_TEMPLATE = "{job}/{node}_{n}.{ext}"
STATE_FOLDER = ".motionrag"  # in the output folder: what is not yet or no longer a result
_FIELDS = frozenset({"job", "node", "id", "class", "n", "ext"})
_DIGITS = re.compile(r"\d+$")


@dataclass(frozen=True)
class NameTemplate:
    """`{job}` its name, `{node}` the node's title, `{id}` its id, `{class}` its class, `{n}` 1, 2, ..., `{ext}`."""

    text: str = DEFAULT_TEMPLATE

    def __post_init__(self) -> None:
        try:
            fields = [name for _, name, form, change in string.Formatter().parse(self.text) if name is not None]
            plain = all(not form and not change for _, _, form, change in string.Formatter().parse(self.text))
        except ValueError:
            fields, plain = [], False
        path = PurePosixPath(self.text.replace("\\", "/"))
        inside = not path.is_absolute() and ".." not in path.parts
        needed = {"job", "n", "ext"}
        if not plain or not set(fields) <= _FIELDS or not needed <= set(fields) or not inside:
            raise RenderError(
                f"Expected --name-template as a path inside the output folder with {{job}}, {{n}} and {{ext}}, and "
                f"{{node}}, {{id}} or {{class}} where a job saves at several nodes, received {self.text!r}: write for "
                f"example {DEFAULT_TEMPLATE!r}."
            )
        if fields.count("n") != 1 or re.search(r"\{n\}(\d|\{(?!ext))|\d\{n\}", self.text):
            raise RenderError(
                f"Expected one {{n}} with a letter such as _ around it in --name-template, received {self.text!r}: "
                "correct it."
            )

    def path(self, job: str, node: NodeNames, index: int, suffix: str) -> str:
        """The result's path in the output folder, with / between folders. `suffix` is ".png", or ""."""
        text = self.text if suffix else self.text.replace(".{ext}", "")
        extension = suffix.removeprefix(".")
        return text.format(job=job, node=node.title, id=node.id, **{"class": node.kind}, n=index, ext=extension)


@dataclass(frozen=True)
class NodeNames:
    """What a node is called in names of files; each is one file name, and `title` is distinct in its graph."""

    id: str
    title: str
    kind: str


def node_names(graph: ApiGraph) -> dict[str, NodeNames]:
    """Names of all nodes of a graph; where titles are alike the id is added."""
    titles = {
        i: safe_name(str(n.get("_meta", {}).get("title") or n["class_type"]), fallback="node") for i, n in graph.items()
    }
    count = Counter(title.casefold() for title in titles.values())
    ids = {i: safe_name(i.replace(":", "-"), fallback="0") for i in graph}
    distinct = {i: title if count[title.casefold()] == 1 else f"{title}-{ids[i]}" for i, title in titles.items()}
    taken = Counter(name.casefold() for name in distinct.values())
    if max(taken.values(), default=1) > 1:  # one's title is another's title and id
        distinct = {i: f"{title}-{ids[i]}-{k}" for k, (i, title) in enumerate(titles.items())}
    return {i: NodeNames(ids[i], distinct[i], safe_name(n["class_type"], fallback="node")) for i, n in graph.items()}


def check_unique(template: NameTemplate, jobs: Mapping[str, Iterable[NodeNames]]) -> None:
    """Refuses a template by which two results of a batch could get one path, whatever their numbers turn out to be.

    `jobs`: by job, the nodes that may make files.
    """
    ends: dict[str, dict[str, str]] = defaultdict(dict)  # what follows the index -> what precedes it -> whose
    mark = "\0"
    for job, nodes in jobs.items():
        for node in nodes:
            whole = template.text.format(job=job, node=node.title, id=node.id, **{"class": node.kind}, n=mark, ext="")
            start, _, end = whole.casefold().partition(mark)
            owner = f"{job}, node {node.id}"
            other = ends[end].get(start)
            if other is not None:
                raise RenderError(
                    f"Expected --name-template to tell results of nodes apart, but {template.text!r} gives those of "
                    f"{other} and of {owner} the same names: add {{node}} or {{id}} to it."
                )
            ends[end][start] = owner
    for starts in ends.values():
        for start, owner in starts.items():
            digits = _DIGITS.search(start)
            shorter = (start[: digits.start() + k] for k in range(len(digits.group()))) if digits else ()
            other = next((starts[s] for s in shorter if s in starts), None)
            if other is not None:
                raise RenderError(
                    f"Expected --name-template to tell results of nodes apart, but {template.text!r} could give those "
                    f"of {other} and of {owner} the same names: put a letter such as _ before {{n}}."
                )
