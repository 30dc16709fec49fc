"""The text of a CSV file: its encoding and its separator, told from the file and never by trial of the rows."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from index_builder.border import read_regular
from motionrag_nodes.batch_render.errors import JobTableError

# The longer marks first: UTF-32's begins with UTF-16's.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MOST_BYTES = 256 << 20  # of a table of jobs
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Separator:
    """What stands between two cells. `announced`: by a first line such as `sep=;`, as Excel reads it."""

    character: str
    announced: bool

    @property
    def words(self) -> str:
        """The character, in words."""
        return _SEPARATORS.get(self.character, repr(self.character))


def decoded(path: Path, encoding: str | None) -> str:
    """The text of a file in `encoding`, else in the one that its first bytes tell, else in UTF-8.

    Raises JobTableError, naming the encoding that it looks like.
    """
    data = read_regular(path, most_bytes=MOST_BYTES)
    known = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), None)
    chosen = encoding or known or _wide(data) or "utf-8"
    try:
        return data.decode(chosen)
    except LookupError:
        raise JobTableError(
            f"Expected the name of an encoding, received {encoding!r}: give one such as cp1252 or utf-8."
        ) from None
    except UnicodeDecodeError as error:
        where = f"byte {error.start} is 0x{data[error.start]:02x}"
        if encoding or known:
            raise JobTableError(
                f"Expected {chosen} in {path}, found other bytes ({where}): name its encoding, or export it again."
            ) from None
        raise JobTableError(
            f"Expected a CSV table in UTF-8 in {path}, found other bytes ({where}). It looks like cp1252 (Windows, "
            "Western Europe), in which Excel writes plain CSV: export it as 'CSV UTF-8', or say --jobs-encoding cp1252."
        ) from None


def separator(text: str) -> tuple[Separator, str]:
    """The separator of a table, and the table without the line that announces it."""
    announced = re.match(r'"?sep=([^\r\n"])"?;*,*(\r\n|\r|\n|$)', text, re.IGNORECASE)
    if announced:
        return Separator(announced.group(1), announced=True), text[announced.end() :]
    header = re.match(r'(?:"(?:[^"]|"")*"|[^"\r\n])*', text)
    outside_quotes = re.sub(r'"(?:[^"]|"")*"', "", header.group() if header else "")
    counts = Counter(letter for letter in outside_quotes if letter in _SEPARATORS)
    return Separator(counts.most_common(1)[0][0] if counts else ",", announced=False), text


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark: every second byte of Western text is zero."""
    head = data[:400]
    if len(head) < 4 or (len(head) % 2 and len(data) > len(head)):
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > len(head) // 2 * 0.6 and not even:
        return "utf-16-le"
    if even > len(head) // 2 * 0.6 and not odd:
        return "utf-16-be"
    return None
