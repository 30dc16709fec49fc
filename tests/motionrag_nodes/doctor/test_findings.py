"""Findings as text and for programs."""

from motionrag_nodes.doctor.findings import as_dict, as_text, counted, ok, problem, verdict, warning

FINDINGS = [
    ok("libraries", "torch", "2.4"),
    problem("libraries", "av", "not installed", "pip install av"),
    warning("machine", "accelerator", "none", "get one"),
]


def test_text_groups_by_topic_and_gives_the_remedy() -> None:
    assert as_text(FINDINGS).splitlines() == [
        "libraries",
        "  ok      torch: 2.4",
        "  problem av: not installed",
        "          -> pip install av",
        "",
        "machine",
        "  warning accelerator: none",
        "          -> get one",
        "",
        "1 problems, 1 warnings",
    ]


def test_for_programs() -> None:
    report = as_dict(FINDINGS)
    assert report["counts"] == {"ok": 1, "warning": 1, "problem": 1}
    assert report["findings"][1] == {
        "topic": "libraries",
        "subject": "av",
        "level": "problem",
        "message": "not installed",
        "remedy": "pip install av",
    }
    assert verdict(counted(FINDINGS[:1])) == "no problem, 0 warnings"
