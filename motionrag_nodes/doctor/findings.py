"""What the doctor says: one finding a line, with a remedy where there is something to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """`topic` groups findings; `subject` is what was looked at. A problem keeps something from working, a warning
    may surprise; both have a remedy."""

    topic: str
    subject: str
    level: Level
    message: str
    remedy: str = ""


def ok(topic: str, subject: str, message: str) -> Finding:
    """All is well with it."""
    return Finding(topic, subject, "ok", message)


def warning(topic: str, subject: str, message: str, remedy: str) -> Finding:
    """It works, but not as one might expect."""
    return Finding(topic, subject, "warning", message, remedy)


def problem(topic: str, subject: str, message: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(topic, subject, "problem", message, remedy)


def counted(findings: Sequence[Finding]) -> dict[Level, int]:
    """How many of each level."""
    levels: tuple[Level, ...] = ("ok", "warning", "problem")
    return {level: sum(finding.level == level for finding in findings) for level in levels}


def as_dict(findings: Sequence[Finding]) -> dict[str, Any]:
    """JSON-ready."""
    return {"counts": counted(findings), "findings": [asdict(finding) for finding in findings]}


def as_text(findings: Sequence[Finding]) -> str:
    """Plain lines, grouped by topic, as the node shows them."""
    lines: list[str] = []
    topic = None
    for finding in findings:
        if finding.topic != topic:
            topic = finding.topic
            lines += ["", topic] if lines else [topic]
        lines.append(f"  {finding.level:8}{finding.subject}: {finding.message}")
        if finding.remedy:
            lines.append(f"          -> {finding.remedy}")
    counts = counted(findings)
    return "\n".join([*lines, "", verdict(counts)])


def verdict(counts: dict[Level, int]) -> str:
    """The last line."""
    if counts["problem"]:
        return f"{counts['problem']} problems, {counts['warning']} warnings"
    return f"no problem, {counts['warning']} warnings"
