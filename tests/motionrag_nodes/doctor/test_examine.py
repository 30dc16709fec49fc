"""The whole examination of this very installation: nothing that is needed is missing."""

from motionrag_nodes.doctor.examine import examine
from motionrag_nodes.doctor.surroundings import surroundings_of_command_line


def test_this_installation_works() -> None:
    findings = list(examine(surroundings_of_command_line()))
    assert [finding for finding in findings if finding.level == "problem"] == []
    topics = list(dict.fromkeys(finding.topic for finding in findings))
    assert topics[:5] == ["libraries", "ComfyUI", "machine", "folders searched", "packs"]
    assert any(finding.subject == "tiny" and finding.message.startswith("loads; for svd") for finding in findings)
    assert all(finding.remedy for finding in findings if finding.level != "ok")
