"""WebDataset archives as inputs: the videos in a .tar, and what says something about them, are unpacked beside the
database once, and found there as any others."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from index_builder.clips.find import Unusable, is_passed_by, is_video_name
from index_builder.whole_file import whole_file

SUFFIX = ".tar"
BESIDE = (".txt", ".json")
MAX_BESIDE_BYTES = 1 << 20
UNFINISHED = ".unfinished"
LEFT_OUT = ".left_out.json"  # beside the folder of an archive: which members, and why
SHOWN_CHARACTERS = 200  # of a name that may be of any length
LATEST_TIME = 2**33  # seconds, in the year 2242: any file system can store it
# What the operating system says of a name that no file can have; anything else is the disk's fault and ends the build.
MEMBERS_OWN = (errno.ENAMETOOLONG, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.EILSEQ)


def archives_in(inputs: Sequence[Path]) -> list[Path]:
    """The archives named, or below a folder named, in a fixed order."""
    found: dict[Path, None] = {}
    for given in inputs:
        for path in [given] if given.is_file() else _below(given):
            if path.suffix.lower() == SUFFIX:
                found.setdefault(Path(os.path.abspath(path)), None)
    return list(found)


def unpacked(inputs: Sequence[Path], *, folder: Path) -> tuple[list[Path], list[Unusable]]:
    """The inputs with a folder below `folder` for each archive, and what cannot be used: archives that are damaged or
    hold no video, and members that no file can be made of.

    An archive that was unpacked before, and is the same by its place, size and time, is not unpacked again; members
    that were left out then are told again. Raises OSError where there is no room.
    """
    archives = archives_in(inputs)
    ready, broken = [given for given in inputs if given.suffix.lower() != SUFFIX or not given.is_file()], []
    for archive in archives:
        status = archive.stat()
        mark = hashlib.sha256(f"{archive}\n{status.st_size}\n{status.st_mtime_ns}".encode()).hexdigest()[:8]
        target = folder / f"{archive.stem}-{mark}"
        if not target.is_dir():
            try:
                _unpack(archive, target)
            except (tarfile.TarError, EOFError) as error:
                reason = f"not a readable archive: {error}; WebDataset archives are not compressed"
                broken.append(Unusable(path=str(archive), reason=reason, failed=True))
                continue
        broken += _left_out(target)
        if any(target.rglob("*")):
            ready.append(target)
        else:
            broken.append(Unusable(path=str(archive), reason="the archive holds no video", failed=False))
    return ready, broken


def _below(folder: Path) -> Iterator[Path]:
    for base, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not is_passed_by(name))
        yield from (Path(base, name) for name in sorted(files) if not name.startswith("."))


def _unpack(archive: Path, target: Path) -> None:
    """Under another name first, so that a folder that is there is whole, and what is left out of it is noted."""
    unfinished, left_out = target.with_name(f"{target.name}{UNFINISHED}"), []
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    _note_beside(target).unlink(missing_ok=True)  # of one that was killed
    # Uncompressed only: a few bytes of a compressed one may unfold to any size.
    with tarfile.open(archive, mode="r:") as opened:
        for member in opened:
            name = _plain_name(member)
            if name is None:
                continue
            try:
                _write(opened, member, unfinished / name)
            except (OSError, ValueError, OverflowError) as error:
                if isinstance(error, OSError) and error.errno not in MEMBERS_OWN:
                    raise
                reason = f"no file can be made of it: {getattr(error, 'strerror', None) or error}"
                left_out.append((f"{archive}/{member.name[:SHOWN_CHARACTERS]}", reason))
    if left_out:
        with whole_file(_note_beside(target), synced=True) as note:
            note.write_text(json.dumps(left_out), encoding="utf-8")
    os.rename(unfinished, target)


def _left_out(target: Path) -> list[Unusable]:
    """What `_unpack` noted of an archive's members; a note that somebody damaged is told, and ends nothing."""
    note = _note_beside(target)
    try:
        entries = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else []
        return [Unusable(path=str(path), reason=str(reason), failed=True) for path, reason in entries]
    except (OSError, ValueError, TypeError, RecursionError):
        reason = f"which members of its archive were left out cannot be read: remove {target}, and it is unpacked again"
        return [Unusable(path=str(note), reason=reason, failed=True)]


def _note_beside(target: Path) -> Path:
    return target.with_name(f"{target.name}{LEFT_OUT}")


def _write(opened: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """A member as a file with its time of change, by which it is recognised the next time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = opened.extractfile(member)
    with path.open("wb") as written:
        if stream is not None:  # of a plain file it never is
            shutil.copyfileobj(stream, written, 1 << 20)
    # Whoever packed it chose the time; one that no file can have is that of 1970.
    changed = member.mtime if 0 <= member.mtime <= LATEST_TIME else 0
    os.utime(path, (changed, changed))


def _plain_name(member: tarfile.TarInfo) -> Path | None:
    """Where a member goes: a video, or a text of its key; None for all else, and for names that would lead out."""
    parts = [part for part in PurePosixPath(member.name).parts if part not in (".", "/")]
    if not parts or ".." in parts or not member.isreg() or member.issparse():
        return None
    suffix = PurePosixPath(parts[-1]).suffix.lower()
    beside = suffix in BESIDE and member.size <= MAX_BESIDE_BYTES
    if not beside and not is_video_name(parts[-1]):
        return None
    # A key ends at the first dot: `0001.video.mp4` belongs to `0001.txt`.
    return Path(*parts[:-1], f"{parts[-1].partition('.')[0]}{suffix}")
