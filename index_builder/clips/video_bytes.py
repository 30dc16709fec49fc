"""A video's bytes on their way to FFmpeg: read once, hashed as they pass, with a word of every read.

FFmpeg gets a file object, not a path: a file that calls itself a video but is a playlist then cannot open others.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import av

from index_builder.content_hash import add_content
from index_builder.errors import ClipUnreadable

# libav writes its own complaints about damaged files to stderr; ours carry the path and reason instead.
av.logging.set_level(av.logging.PANIC)

Progress = Callable[[], None]
READ_BYTES = 1 << 17
# A forward jump up to here is read over for the hash; beyond it, the bytes are read when they are due.
MAX_GAP_BYTES = 8 << 20
# No sound file needs to be read so often; one that does makes its demuxer go in circles.
MAX_TIMES_READ, FREE_BYTES = 16, 1 << 30


def unheard() -> None:
    """The progress of work that nobody watches."""


class ContentHash:
    """The sha256 of a file, fed by whoever reads it: bytes count once, in order, and only what nobody read is read."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._done = 0

    def pass_on(self, stream: io.RawIOBase, offset: int, block: bytes) -> None:
        """`block` was read from `stream` at `offset`; the stream's position is left behind it."""
        end = offset + len(block)
        if self._done < offset <= self._done + MAX_GAP_BYTES:
            stream.seek(self._done)
            self._take(_read_exactly(stream, offset - self._done))
            stream.seek(end)
        if offset <= self._done < end:
            self._take(memoryview(block)[self._done - offset :])

    def finish(self, path: Path, progress: Progress) -> str:
        """Reads what is left, and returns 64 hex digits."""
        add_content(self._digest, path, start=self._done, progress=progress)
        return self._digest.hexdigest()

    def _take(self, block: bytes | memoryview) -> None:
        self._digest.update(block)
        self._done += len(block)


def _read_exactly(stream: io.RawIOBase, size: int) -> bytes:
    parts = []
    while size and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class VideoBytes:
    """What FFmpeg reads; a context manager. `name` helps it guess the format of raw streams."""

    def __init__(self, path: Path, *, progress: Progress = unheard, content: ContentHash | None = None) -> None:
        self.name = str(path)
        self._stream = path.open("rb", buffering=0)
        self._progress, self._content = progress, content
        self._left = MAX_TIMES_READ * path.stat().st_size + FREE_BYTES

    def __enter__(self) -> VideoBytes:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream.close()

    def read(self, size: int) -> bytes:
        """Up to `size` bytes. Raises ClipUnreadable when the demuxer reads in circles."""
        offset = self._stream.tell()
        block = self._stream.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise ClipUnreadable("it makes its demuxer read in circles")
        if self._content is not None:
            self._content.pass_on(self._stream, offset, block)
        self._progress()
        return block

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """The new position."""
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """The position."""
        return self._stream.tell()


@contextmanager
def open_video(
    path: Path, *, progress: Progress = unheard, content: ContentHash | None = None
) -> Iterator[av.container.InputContainer]:
    """The container of a video. Raises OSError, of which FFmpeg's errors are some, and ClipUnreadable."""
    with VideoBytes(path, progress=progress, content=content) as stream:
        # Of the protocols, none: what the file names is not opened.
        options = {"protocol_whitelist": "none"}
        with av.open(stream, "r", metadata_errors="replace", buffer_size=READ_BYTES, options=options) as container:
            yield container
