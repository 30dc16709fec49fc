"""Errors that only nodes raise; ComfyUI shows their text at the red node."""

from __future__ import annotations

from index_builder.errors import MotionRAGError


class ChoiceNotFound(MotionRAGError):
    """A pack, database, model or video that a workflow names is in none of the folders searched."""
