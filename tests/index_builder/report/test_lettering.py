"""Lettering: text is measured, cut and wrapped; another script takes another font, and what none has is said."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from index_builder.report import lettering
from index_builder.report.lettering import Lettering

HAN, WIDE = "日", 1000


@pytest.fixture
def font_of_one_sign(tmp_path):
    """A real font that holds one Chinese character, drawn as a full square, beside its sign for what it lacks."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    def square(low: int, high: int):
        pen = TTGlyphPen(None)
        pen.moveTo((0, low))
        for corner in ((0, high), (WIDE, high), (WIDE, low)):
            pen.lineTo(corner)
        pen.closePath()
        return pen.glyph()

    builder = FontBuilder(WIDE, isTTF=True)
    builder.setupGlyphOrder([".notdef", "han"])
    builder.setupCharacterMap({ord(HAN): "han"})
    builder.setupGlyf({".notdef": square(0, 100), "han": square(0, 800)})
    builder.setupHorizontalMetrics({".notdef": (WIDE, 0), "han": (WIDE, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupOS2()
    builder.setupPost()
    builder.save(tmp_path / "han.ttf")
    return str(tmp_path / "han.ttf")


@pytest.fixture
def system_of(monkeypatch):
    """Makes the given fonts all that the system has."""

    def use(*files: str) -> None:
        monkeypatch.setattr(lettering, "_asked_of_fontconfig", lambda char: [(file, 0) for file in files])
        monkeypatch.setattr(lettering, "_KNOWN_FONTS", ())
        monkeypatch.setattr(lettering, "_system_fonts_in_use", [])
        lettering._font_of.cache_clear()
        lettering._say_missing.cache_clear()

    yield use
    lettering._font_of.cache_clear()


def drawn(text: str, size: int = 20) -> np.ndarray:
    picture = Image.new("L", (400, 40))
    Lettering(size).draw(ImageDraw.Draw(picture), (5, 5), text, 255)
    return np.asarray(picture)


def test_plain_text_is_pillow_s_own_font() -> None:
    font = ImageFont.load_default(20)
    assert Lettering(20).length("a red ball") == pytest.approx(font.getlength("a red ball"))
    picture = Image.new("L", (400, 40))
    ImageDraw.Draw(picture).text((5, 5), "a red ball", font=font, fill=255)
    np.testing.assert_array_equal(drawn("a red ball"), np.asarray(picture))


def test_another_script_takes_a_font_that_has_it(system_of, font_of_one_sign) -> None:
    system_of(font_of_one_sign)
    solid = drawn(HAN)
    assert Lettering(20).length(HAN) == 20
    # The font's one sign is a full square of 20 x 16 pixels: neither Pillow's box nor a question mark.
    assert (solid == 255).sum() == 20 * 16
    assert Lettering(20).length(f"{HAN} a") > Lettering(20).length("a") + 20


def test_what_no_font_has_is_a_question_mark_and_said_once(system_of, caplog) -> None:
    system_of()
    np.testing.assert_array_equal(drawn(HAN + HAN), drawn("??"))
    assert caplog.text.count("no font of this system has the CJK characters") == 1
    assert "apt install fonts-noto-cjk" in caplog.text


def test_a_broken_font_is_passed_over(system_of, tmp_path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    system_of(str(tmp_path / "broken.ttf"), str(tmp_path / "absent.ttf"))
    np.testing.assert_array_equal(drawn(HAN), drawn("?"))


def test_text_is_cut_and_wrapped_to_the_width() -> None:
    text = Lettering(16)
    assert text.fitted("short", 200) == "short"
    cut = text.fitted("word " * 2000, 200)
    assert cut.endswith("…") and 150 < text.length(cut) <= 200
    lines = text.wrapped("a white star travels to the left and comes back again", 120, most_lines=2)
    assert len(lines) == 2 and lines[0] in "a white star travels to the left" and lines[1].endswith("…")
    assert all(text.length(line) <= 120 for line in lines)
    assert text.wrapped("a white star", 400, most_lines=2) == ["a white star"]
    unbroken = text.wrapped("x" * 100, 120, most_lines=3)
    assert len(unbroken) == 3 and all(0 < text.length(line) <= 120 for line in unbroken)
    assert text.wrapped("", 120, most_lines=2) == [""]
