"""What the job store writes and reads: JSON alone. It lies in an output folder, which may come from somebody else.

DBOS would write pickles, and reads them wherever a row calls itself one; opening a pickle can run code.
"""

from __future__ import annotations

import json
from typing import Any

from dbos import _serialization

_ERROR = "~error"


class JsonRecords(_serialization.Serializer):
    """A serializer of DBOS. Tuples come back as lists, errors as what they said."""

    def serialize(self, data: Any) -> str:
        """Raises TypeError for what is neither JSON nor an error."""
        return json.dumps(data, default=_said)

    def deserialize(self, serialized_data: str) -> Any:
        """Raises ValueError for what is no JSON."""
        values = json.loads(serialized_data)
        if isinstance(values, dict) and values.keys() == {_ERROR}:
            return RuntimeError(str(values[_ERROR]))
        return values

    def name(self) -> str:
        """What rows call it."""
        return "motionrag_json"


def forbid_pickles() -> None:
    """From now on DBOS reads no pickle in this process, whatever a row says of itself."""
    _serialization.DefaultSerializer.deserialize = _refuse  # type: ignore[method-assign, assignment]  # a patch


def _said(value: Any) -> dict[str, str]:
    if isinstance(value, BaseException):
        return {_ERROR: f"{type(value).__name__}: {value}"}
    raise TypeError(f"expected JSON or an error, received {type(value).__name__}")


def _refuse(*_: Any) -> Any:
    raise ValueError("expected a record in JSON, received a pickle, which could run code: it is not opened")
