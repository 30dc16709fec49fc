"""The protocol: what is generated in each row of the table, from which references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from motionrag_nodes.adapted_tokens.fusions import DEFAULT_FUSION

References = Literal["none", "retrieved", "reversed", "random", "own", "codec"]


@dataclass(frozen=True)
class Row:
    """A way of generating. All rows of a set animate the same pictures from the same noise.

    cases: the set of clips. references: none is the plain model, "own" the target clip's motion tokens, which is the
    best that retrieval could find; "reversed" plays the retrieved clips backwards; "codec" generates nothing, but
    encodes and decodes the real clips. database: "world" shows the seen motions, "noisy" the same clips of which a
    part has captions that name another motion, "extended" holds clips of the unseen motions as well.
    """

    name: str
    says: str
    cases: str = "seen"
    references: References = "retrieved"
    database: str = "world"
    fusion: str = DEFAULT_FUSION
    top_k: int = 9


ROWS: tuple[Row, ...] = (
    Row("base", "the model alone", references="none"),
    Row("rag", "retrieved motion, context transformer, K = 9"),
    Row("random", "nine references at random", references="random"),
    Row("own", "the target's own motion: the upper bound", references="own"),
    Row("mean", "fusion: mean of nine", fusion="mean"),
    Row("top-1", "fusion: the most similar alone", fusion="top-1"),
    Row("k1", "context transformer, K = 1", top_k=1),
    Row("k3", "context transformer, K = 3", top_k=3),
    Row("k5", "context transformer, K = 5", top_k=5),
    Row("noisy rag", "a third of captions wrong: context transformer", database="noisy"),
    Row("noisy mean", "a third of captions wrong: mean", database="noisy", fusion="mean"),
    Row("noisy top-1", "a third of captions wrong: top-1", database="noisy", fusion="top-1"),
    Row("backwards", "the references played backwards", cases="backwards", references="reversed"),
    Row("codec", "codec alone: real clips, encoded and decoded", references="codec"),
    Row("objects codec", "unseen objects: codec alone", cases="unseen objects", references="codec"),
    Row("objects base", "unseen objects: the model alone", cases="unseen objects", references="none"),
    Row("objects rag", "unseen objects: retrieved motion", cases="unseen objects"),
    Row("motions base", "unseen motions: the model alone", cases="unseen motions", references="none"),
    Row("motions old", "unseen motions: the old database", cases="unseen motions"),
    Row("motions new", "unseen motions: the database extended", cases="unseen motions", database="extended"),
    Row("motions own", "unseen motions: the target's own motion", cases="unseen motions", references="own"),
)
ROW_NAMES = tuple(row.name for row in ROWS)
