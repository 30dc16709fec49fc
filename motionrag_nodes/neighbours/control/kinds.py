"""What control clips there are."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal["silhouette", "colours", "noise"]
Whose = Literal["all motion", "objects only", "camera only"]
KINDS: tuple[str, ...] = get_args(Kind)
WHOSE: tuple[str, ...] = get_args(Whose)
MAX_STRENGTH = 3.0
