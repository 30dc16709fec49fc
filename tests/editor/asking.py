"""Asks the editor for the prompts of the whole corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from motionrag_nodes.batch_render.conversion.editor_page import EditorExport, open_editor_page
from tests.editor.conftest import ServerWithEditor
from tests.motionrag_nodes.batch_render.conversion.corpus import (
    Case,
    Truth,
    digest,
    packaged_cases,
    random_cases,
    self_made,
)


def corpus(server: ServerWithEditor) -> Iterator[Case]:
    yield from self_made()
    yield from random_cases()
    yield from packaged_cases(server.object_info)


def answers(server: ServerWithEditor, cases: Iterable[Case]) -> Iterator[tuple[Case, EditorExport]]:
    """Each case with what the editor says; a page is opened for each set of classes."""
    for _classes, group in groupby(cases, key=lambda case: id(case.object_info)):
        alike = list(group)
        with open_editor_page(server.url, object_info=alike[0].object_info) as page:
            for case in alike:
                yield case, page.export(case.workflow)


def as_truth(export: EditorExport) -> Truth:
    if export.prompt is None:
        return Truth("refused")
    if export.lacks_classes:
        return Truth("lacks classes")
    assert export.time is not None
    return Truth("prompt", digest(export.prompt), export.time.isoformat())
