"""The words of captions that can name a thing or a motion: what every sentence is made of tells nothing."""

from __future__ import annotations

import re

WORD = re.compile(r"[^\W\d_]{3,}")
# English, and the most common of German, French and Spanish.
COMMON = frozenset(
    """
    the and for are was were has have had his her its their our your with without from into onto over under
    above below while when where which who whom whose that this these those then than there here they them
    him she you not but also very more most some any all both each other another one two three being been
    does did done can could will would should may might must just only out off down along across through
    around about between before after during against near beside behind front side back video clip camera
    scene shot view seen show shown shows showing see footage image picture frame background foreground appears slowly
    quickly gently toward towards upon as at by in is it of on or to up
    der die das und ein eine einen einem einer den dem des mit von auf ist sich für auch nicht
    les des une dans sur avec est qui que par pour aux sont son ses
    los las una del con por para que está sus como sobre
    """.split()
)


def telling_words(caption: str) -> set[str]:
    """In lower case."""
    return set(WORD.findall(caption.lower())) - COMMON
