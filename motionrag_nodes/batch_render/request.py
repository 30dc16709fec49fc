"""What is asked of a batch: workflows, the values and rows for them, and where the results go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.batch_render.results.names import NameTemplate

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Part:
    """Which jobs of a batch are rendered where it is shared out: every `of`-th, beginning with the `number`-th."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Part:
        """From "2/10". Raises RenderError: another form, or no part from 1 to the number of parts."""
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
        number, of = (int(group) for group in found.groups()) if found else (0, 0)
        if not 1 <= number <= of:
            raise RenderError(f"Expected a part such as 2/10 (the second of ten), received {text!r}: correct --part.")
        return cls(number, of)

    def of_jobs(self, jobs: Sequence[_Item]) -> list[_Item]:
        """Its share of all jobs, which may be none."""
        return list(jobs[self.number - 1 :: self.of])


@dataclass(frozen=True)
class RenderRequest:
    """Each of `workflows` is rendered with each row of `table`, into `output`.

    `assignments`: "NODE.INPUT=VALUE" for all jobs, over which a row's value wins. `template`: names of results.
    `force`: what was rendered before counts for nothing.
    """

    workflows: Sequence[Path]
    output: Path
    assignments: Sequence[str] = ()
    table: Path | None = None
    table_encoding: str | None = None
    template: NameTemplate = field(default_factory=NameTemplate)
    part: Part = Part()
    force: bool = False
