"""What a process knows of its servers."""

from __future__ import annotations

from typing import Any

import pytest

from motionrag_nodes.batch_render.errors import ResultsGone
from motionrag_nodes.batch_render.queue.lanes import Lane, queue_key
from motionrag_nodes.batch_render.server.access import Access
from motionrag_nodes.batch_render.server.answers import PromptRun, ServerFile


def _graph(value: float, *, other: int = 0) -> dict[str, dict[str, Any]]:
    return {
        "1": {"class_type": "Picture", "inputs": {"value": value}},
        "2": {"class_type": "SaveFixed", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "Unrelated", "inputs": {"value": other}},
    }


def _run(*, cached: tuple[str, ...] = ()) -> PromptRun:
    return PromptRun("p", files=[ServerFile("2", "result.png", "", "output")], cached_nodes=list(cached))


def test_a_cached_file_that_another_job_wrote_over_is_no_result() -> None:
    lane = Lane(Access("http://a"), queue_key("http://a"))
    lane.check_written(_run(), _graph(0.1))
    lane.check_written(_run(cached=("1", "2")), _graph(0.1))
    lane.check_written(_run(cached=("1", "2")), _graph(0.1, other=7))  # what does not lead to it does not count
    lane.check_written(_run(), _graph(0.9))
    with pytest.raises(ResultsGone, match=r"Expected result\.png on http://a, but another job wrote over it"):
        lane.check_written(_run(cached=("1", "2")), _graph(0.1))
    lane.check_written(_run(), _graph(0.1))
    lane.check_written(_run(cached=("2",)), _graph(0.1))


def test_a_server_has_one_queue_wherever_it_is_named() -> None:
    assert queue_key("http://a:1") == queue_key("http://a:1") != queue_key("http://a:2")
