"""Parts of a batch: together they are all of it, and each job is in one of them."""

from __future__ import annotations

import pytest

from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.batch_render.request import Part


def test_parts_share_all_jobs_out() -> None:
    jobs = list("abcdefg")
    for of in (1, 2, 3, 7, 20):
        shares = [Part.parse(f"{number}/{of}").of_jobs(jobs) for number in range(1, of + 1)]
        assert sorted(job for share in shares for job in share) == jobs
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("text", ["", "0/2", "3/2", "2", "1/0", "-1/2", "1/2/3", "a/b"])
def test_what_is_no_part(text: str) -> None:
    with pytest.raises(RenderError, match=r"Expected a part such as 2/10 .*: correct --part\."):
        Part.parse(text)
