"""Named errors of the index builder: each message says what was expected, what came, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from index_builder.plain_text import shown

if TYPE_CHECKING:
    from index_builder.build_report import BuildReport


class MotionRAGError(Exception):
    """Base of every expected error; the command line prints its text and exits with code 2.

    Messages quote names and texts of others; wherever one is printed, logged or shown, it is only text.
    """

    def __str__(self) -> str:
        return shown(super().__str__())


class InputNotFound(MotionRAGError):
    """An input folder, video or table does not exist or holds nothing usable."""


class InvalidSetting(MotionRAGError):
    """A setting lies outside its range or contradicts another."""


class CaptionTableInvalid(MotionRAGError):
    """A caption table cannot be read or lacks its columns."""


class ModelFilesRefused(MotionRAGError):
    """A model's folder holds code, a pickle, or settings that would lead a library to one; nothing was loaded."""


class ClipUnreadable(MotionRAGError):
    """A video could not be decoded into a clip: damaged, empty, no pictures, or over a limit."""


class EncoderNotFound(MotionRAGError):
    """An encoder's files are neither in the pack's folder nor in the local hub cache."""


class EncoderIncomplete(MotionRAGError):
    """An encoder's file lacks weights that the model needs, or holds them in other shapes."""


class EncoderCodeRefused(MotionRAGError):
    """An encoder brings code of its own that the user did not allow."""


class DatabaseNotFound(MotionRAGError):
    """The folder holds no motion database."""


class DatabaseDamaged(MotionRAGError):
    """A file of the database is missing, has another size, or has an impossible structure."""


class DatabaseTooNew(DatabaseDamaged):
    """The manifest was written by a later format version than this program reads."""


class DatabaseMismatch(MotionRAGError):
    """The database was encoded in another way than by the encoder that now asks or adds."""


class DatabaseNotWritable(MotionRAGError):
    """The database's folder cannot be written: no space, no permission, or it holds something else."""


class TokensNotStored(MotionRAGError):
    """The database holds no motion tokens of the asked fingerprint."""


class RowNotFound(MotionRAGError):
    """A row id is not in the database, or was removed."""


class CommitConflict(MotionRAGError):
    """Other builders kept taking the next manifest number until the retries ran out."""


class RecallBelowTarget(MotionRAGError):
    """An approximate index finds fewer of the true neighbours than asked; nothing was published, no row is lost.

    `report` says what a build did before (a BuildReport).
    """

    report: BuildReport | None = None


class SelectionEmpty(MotionRAGError):
    """A command that changes chosen rows was given nothing to choose by, or an impossible choice."""


class EngineUnavailable(MotionRAGError):
    """The cluster that should do the work cannot be reached, has no room, or loses every worker."""


class CaptionerUnavailable(MotionRAGError):
    """The model that should describe clips is not on this machine, or its server cannot be reached."""


class CaptionerFailed(MotionRAGError):
    """The model could not describe a clip; others may go well."""


class SharedFileRefused(MotionRAGError):
    """A file with a database of others is damaged, or holds something else than it may; nothing was unpacked."""
