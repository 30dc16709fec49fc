"""Lettering: captions in any script. Each word is drawn in the first font that has all its characters.

Pillow's own font comes first: it is there on every system. For what it lacks (Chinese, Japanese, Korean, Arabic, ...)
fonts of the system serve: fontconfig is asked for one that has the character, and where it is not installed, the names
under which Windows, macOS and Linux keep theirs are tried. What no font has is shown as "?", and said once in the log.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import unicodedata
from functools import lru_cache
from itertools import groupby

from PIL import ImageDraw, ImageFont

from index_builder.plain_text import plain_logger, shown

logger = plain_logger(__name__)
MISSING = "?"
ELLIPSIS = "…"
# No script has this code point (a Unicode noncharacter), so every font shows its sign for "not there".
_NOWHERE = "\U0010fffe"
_KNOWN_FONTS = (
    *("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "wqy-microhei.ttc", "DroidSansFallbackFull.ttf"),
    *("msyh.ttc", "meiryo.ttc", "malgun.ttf", "msgothic.ttc", "simsun.ttc", "arial.ttf"),
    *("PingFang.ttc", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc", "Arial Unicode.ttf", "DejaVuSans.ttf"),
)
_FONTCONFIG_SECONDS = 5

OpenedFont = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = str | tuple[int, ...]
Font = tuple[str, int]  # file, and which face of it; the empty file is Pillow's own font
_OWN: Font = ("", 0)


class Lettering:
    """Draws and measures text of one size."""

    def __init__(self, size_pixels: int) -> None:
        self.size_pixels = size_pixels
        self._baseline = _ascent(_opened(_OWN, size_pixels))

    def length(self, text: str) -> float:
        """Width of one line in pixels."""
        return sum(_opened(font, self.size_pixels).getlength(run) for font, run in _runs(text))

    def fitted(self, text: str, width_pixels: float) -> str:
        """`text` in one line, cut with an ellipsis where it is wider than `width_pixels`."""
        return self.wrapped(text, width_pixels, most_lines=1)[0]

    def wrapped(self, text: str, width_pixels: float, *, most_lines: int) -> list[str]:
        """`text` in at most that many lines, at least one; the last ends with an ellipsis where the text goes on."""
        rest = shown(" ".join(text.split()), keep="")
        lines: list[str] = []
        while len(lines) < most_lines - 1 and self.length(rest) > width_pixels:
            fits = self._letters_that_fit(rest, width_pixels)
            # Between words if there are any: Chinese and Japanese are written without spaces.
            end = rest.rfind(" ", 0, fits + 1)
            end = end if end > 0 else max(1, fits)
            lines.append(rest[:end].rstrip())
            rest = rest[end:].lstrip()
        if self.length(rest) > width_pixels:
            fits = self._letters_that_fit(rest, width_pixels - self.length(ELLIPSIS))
            rest = rest[:fits].rstrip() + ELLIPSIS
        return [*lines, rest]

    def _letters_that_fit(self, text: str, width_pixels: float) -> int:
        """How many of the first letters are at most that wide."""
        # Half the interval at a time: captions may be thousands of letters long.
        fits, cut = 0, len(text) + 1
        while cut - fits > 1:
            middle = (fits + cut) // 2
            fits, cut = (middle, cut) if self.length(text[:middle]) <= width_pixels else (fits, middle)
        return fits

    def draw(self, draw: ImageDraw.ImageDraw, left_top: tuple[float, float], text: str, fill: Colour) -> float:
        """Draws one line and returns the x where it ends."""
        left, top = left_top
        for name, run in _runs(text):
            font = _opened(name, self.size_pixels)
            # All runs stand on one baseline, however tall their fonts are; Pillow's bitmap font knows no anchors.
            if isinstance(font, ImageFont.FreeTypeFont):
                draw.text((left, top + self._baseline), run, font=font, fill=fill, anchor="ls")
            else:
                draw.text((left, top), run, font=font, fill=fill)
            left += font.getlength(run)
        return left


def _runs(text: str) -> list[tuple[Font, str]]:
    """Consecutive words of one font; a word that no font has whole is taken character by character."""
    parts: list[tuple[Font, str]] = []
    for word in re.findall(r"\s+|\S+", shown(text)):
        # Signs that only change others (variation selectors, joiners) are left out.
        kept = [char for char in word if unicodedata.category(char) not in ("Cf", "Cs") and char not in "\ufe0e\ufe0f"]
        fonts = [_font_of(char) for char in kept]
        whole = next((font for font in dict.fromkeys(fonts) if font and all(_has(font, char) for char in kept)), None)
        if whole:
            parts.append((whole, "".join(kept)))
        else:
            # An accent without its letter would stand on nothing.
            letters = [
                pair for pair in zip(fonts, kept, strict=True) if not unicodedata.category(pair[1]).startswith("M")
            ]
            parts += [(font or _OWN, char if font else MISSING) for font, char in letters]
    return [(font, "".join(run for _, run in group)) for font, group in groupby(parts, key=lambda part: part[0])]


@lru_cache(maxsize=65536)
def _font_of(char: str) -> Font | None:
    """The first font that has `char`; None where there is none on this system."""
    for font in (_OWN, *_system_fonts_in_use):
        if _has(font, char):
            return font
    for font in (*_asked_of_fontconfig(char), *((name, 0) for name in _KNOWN_FONTS)):
        if _has(font, char):
            _system_fonts_in_use.append(font)
            return font
    _say_missing(unicodedata.name(char, f"U+{ord(char):04X}").split()[0])
    return None


_system_fonts_in_use: list[Font] = []


@lru_cache(maxsize=1024)
def _say_missing(script: str) -> None:
    """Once for each script."""
    logger.warning(
        "no font of this system has the %s characters of a caption; pictures show %s for them: install one, "
        "for Chinese, Japanese and Korean e.g. with apt install fonts-noto-cjk",
        script,
        MISSING,
    )


def _asked_of_fontconfig(char: str) -> list[Font]:
    program = shutil.which("fc-match")
    if program is None:
        return []
    command = [program, "--format", "%{file}\t%{index}", f"sans:charset={ord(char):x}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_FONTCONFIG_SECONDS, check=True).stdout
        file, index = answer.split("\t")
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        logger.debug("fontconfig did not name a font: %s", error)
        return []
    return [(file, int(index) & 0xFFFF)]  # the upper half counts instances of variable fonts


@lru_cache(maxsize=65536)
def _has(font: Font, char: str) -> bool:
    opened = _open(font, 24)
    if opened is None:
        return False
    if not isinstance(opened, ImageFont.FreeTypeFont):
        return char.isascii()
    return char.isspace() or _picture(opened, char) != _picture(opened, _NOWHERE)


def _picture(font: ImageFont.FreeTypeFont, char: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(char)
    return mask.size, bytes(mask)


@lru_cache(maxsize=256)
def _open(font: Font, size_pixels: int) -> OpenedFont | None:
    """The font at a size; None where there is no such file. Pillow looks bare names up in the system's folders."""
    file, index = font
    if not file:
        # Pillow ships this font; without FreeType it falls back to a small one by itself.
        return ImageFont.load_default(size_pixels)
    try:
        return ImageFont.truetype(file, size_pixels, index=index)
    except OSError:
        return None


def _opened(font: Font, size_pixels: int) -> OpenedFont:
    """A font that was found before, at a size; Pillow's own where its file is gone since."""
    return _open(font, size_pixels) or ImageFont.load_default(size_pixels)


def _ascent(font: OpenedFont) -> int:
    return font.getmetrics()[0] if isinstance(font, ImageFont.FreeTypeFont) else 0
