"""Errors of batch rendering; each message says what was expected, what came and what to do."""

from __future__ import annotations

from index_builder.errors import MotionRAGError


class RenderError(MotionRAGError):
    """Anything that stops a batch before its first job."""


class WorkflowFileError(RenderError):
    """A workflow file cannot be read, is of no known form, or uses nodes that the server lacks."""


class ConversionError(WorkflowFileError):
    """A saved workflow cannot be turned into a prompt: it is broken, or it does not say what the editor would send."""


class EditorPageError(RenderError):
    """The editor cannot be opened to compare with: no browser, or no editor at the address."""


class NodeValueError(RenderError):
    """A `--set` or a job column names a node or input that does not exist, or a value of the wrong kind."""


class JobTableError(RenderError):
    """A job table is unreadable or ambiguous."""


class RenderManifestError(RenderError):
    """The manifest of an output folder is unreadable or was written by a newer version."""


class ComfyUINotFound(RenderError):
    """No ComfyUI at the given place, nor an installed one."""


class ComfyUIStartError(RenderError):
    """ComfyUI stopped, or did not answer, while starting."""


class ComfyUIConnectionError(RenderError):
    """The server cannot be reached or answered something that is not ComfyUI's."""


class ServerRefusedAccess(ComfyUIConnectionError):
    """The server, or a proxy before it, wants other credentials."""


class JobFailed(MotionRAGError):
    """One job was refused or failed; the others go on."""

    def __init__(self, message: str, *, node_errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.node_errors = node_errors or []


class PromptGone(MotionRAGError):
    """The server knows nothing any more of a prompt that it had accepted."""


class ResultsGone(JobFailed):
    """The server no longer has a file that a finished prompt reported."""


class JobStoreError(RenderError):
    """The durable record of jobs, a file or a database, cannot be used."""


class BatchRefused(RenderError):
    """Jobs of a batch cannot run on any server; the message lists every reason."""


class ServerTaken(RenderError):
    """Another living process drives the server."""
