"""Files of a repository on the Hugging Face hub (https://huggingface.co), pinned to a commit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HubSource:
    """Exactly the files that are needed of one repository.

    purpose: what they are, for people. revision: the commit, 40 hex digits. licence: what the repository stated when
    the commit was pinned; "none stated" where it stated nothing.
    """

    repo: str
    revision: str
    purpose: str
    licence: str
    files: tuple[str, ...]

    @property
    def is_pickled(self) -> bool:
        """Whether its weights are pickles, which are converted into a pack and never opened at run time."""
        return any(name.endswith((".bin", ".ckpt")) for name in self.files)
