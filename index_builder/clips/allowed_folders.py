"""Which files a database may have read: videos inside folders that this user has indexed or allowed, nothing else.

Databases go from person to person, and their rows name the videos that they were made of. Such a name may be anything:
a device, an address in the network, a private file. So the folders that a build reads are noted for the user, outside
of any database, and a name counts only if it is the path of a regular file below one of them: an absolute one, or one
that begins at a root that the database declares.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from index_builder.errors import ClipUnreadable
from index_builder.plain_text import plain_logger

logger = plain_logger(__name__)
STATE_VARIABLE = "MOTIONRAG_STATE"
NOTES = "indexed_folders.jsonl"
MAX_NOTES_BYTES = 16 << 20
MAX_PATH_CHARACTERS = 4096


@dataclass(frozen=True)
class AllowedFolders:
    """Folders below which videos may be read."""

    folders: tuple[Path, ...]

    @classmethod
    def of_user(cls, further: Iterable[Path] = ()) -> AllowedFolders:
        """The folders that were indexed by this user on this machine, and `further` ones."""
        return cls(tuple(dict.fromkeys([*map(Path, further), *_noted()])))

    def checked(self, source: str, *, roots: Sequence[Path] = ()) -> Path:
        """The real path of a video that may be read; a relative source is looked for below each of `roots`. Raises
        ClipUnreadable, with the reason."""
        if not source or len(source) > MAX_PATH_CHARACTERS or "\0" in source:
            raise ClipUnreadable("its source is no absolute path of a file")
        if os.path.isabs(source):
            return self._checked(source)
        if ".." in Path(source).parts or not roots or "://" in source:
            raise ClipUnreadable("its source is no absolute path of a file, and no plain one below a declared root")
        reasons = []
        for root in roots:
            try:
                return self._checked(os.path.join(root, source))
            except ClipUnreadable as error:
                reasons.append(str(error))
        raise ClipUnreadable(reasons[0])

    def _checked(self, source: str) -> Path:
        # By the words first: to look at a path may already ask a network.
        if not self._holds(Path(os.path.normpath(source))):
            raise ClipUnreadable(
                "it lies in no folder that was indexed here: allow its folder (--allow-source FOLDER, or motion_videos "
                "in ComfyUI's extra_model_paths.yaml) if you trust the database"
            )
        try:
            path = Path(source).resolve(strict=True)
            status = path.stat()
        except (OSError, RuntimeError, ValueError) as error:
            raise ClipUnreadable(f"the file is gone or cannot be reached: {error}") from error
        if not self._holds(path):
            raise ClipUnreadable("a link leads out of the folders that were indexed here")
        if not stat.S_ISREG(status.st_mode):
            raise ClipUnreadable("it is no regular file")
        return path

    def _holds(self, path: Path) -> bool:
        return any(
            path.is_relative_to(folder)
            for given in self.folders
            for folder in {Path(os.path.abspath(given)), Path(os.path.realpath(given))}
        )


def note_folders(folders: Iterable[Path]) -> None:
    """Notes that the user has indexed `folders`. Where that cannot be noted it is logged, and nothing else suffers."""
    known = set(_noted())
    new = [folder for folder in dict.fromkeys(folders) if not any(folder.is_relative_to(path) for path in known)]
    if not new:
        return
    path = _notes_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="ascii") as stream:
            stream.write("".join(f"{json.dumps(str(folder))}\n" for folder in new))
    except OSError as error:
        logger.warning("cannot note which folders were indexed (%s): name them with --allow-source later", error)


def _noted() -> list[Path]:
    try:
        with _notes_path().open(encoding="ascii", errors="replace") as stream:
            lines = stream.read(MAX_NOTES_BYTES).splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            noted = json.loads(line)
        except ValueError:
            continue
        if isinstance(noted, str) and os.path.isabs(noted):
            found.append(Path(noted))
    return found


def _notes_path() -> Path:
    """In the folder that the system has for what a user's programs remember; MOTIONRAG_STATE names another."""
    if os.environ.get(STATE_VARIABLE):
        return Path(os.environ[STATE_VARIABLE]) / NOTES
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Application Support"
    else:
        base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(os.path.expanduser(base)) / "motionrag" / NOTES
