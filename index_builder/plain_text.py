"""Text from others, made safe to show: what a terminal or a page would obey is written out instead."""

from __future__ import annotations

import logging
import re

# Control characters (C0, DEL, C1), line and paragraph separators, signs that turn the direction of what follows, tags
# and other invisible signs that may hide text, and halves of pairs, which no encoding takes. Joiners and variation
# selectors stay: scripts and emoji need them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e00ff\ud800-\udfff]"
)


def shown(text: str, *, keep: str = "\n") -> str:
    """`text` with each such character as its JSON escape (ESC becomes `\\u001b`), but for those in `keep`."""
    return _UNSAFE.sub(lambda match: match[0] if match[0] in keep else _escaped(match[0]), text)


def plain_logger(name: str) -> logging.Logger:
    """The logger of a module. Wherever its lines go, what others wrote is only text in them, and begins no line."""
    logger = logging.getLogger(name)
    if not any(isinstance(entry, _OnlyText) for entry in logger.filters):
        logger.addFilter(_OnlyText())
    return logger


class _OnlyText(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Puts the message as it is shown in the place of its parts; every record passes."""
        record.msg, record.args = shown(record.getMessage()).replace("\n", "\n    "), ()
        return True


def _escaped(character: str) -> str:
    code = ord(character)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
