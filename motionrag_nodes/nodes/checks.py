"""What a node says of its inputs before anything runs.

ComfyUI asks a node once for all the inputs that it checks, and repeats the answer for each of them. So each message
begins with the name of the input at fault; `web/one_fault.js` and `motionrag render` keep it for that one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from index_builder.errors import MotionRAGError


def faults(**found: bool | str) -> bool | str:
    """True when nothing was found, else a line for each input at fault. `found`: by input, True or what is wrong."""
    lines = [f"{name}: {' '.join(said.splitlines())}" for name, said in found.items() if isinstance(said, str)]
    return "\n".join(lines) or True


def chosen(name: str, value: str | None, choices: Collection[str]) -> bool | str:
    """Whether a value is one of the choices; None comes by a connection."""
    if value is None or value in choices:
        return True
    return f"{name} is {value!r}; choose one of: {', '.join(choices)}"


def refused(act: Callable[..., object], *values: object) -> bool | str:
    """What `act(*values)` refuses its values with; True where it takes them, or where a value comes by a connection."""
    if None in values:
        return True
    try:
        act(*values)
    except MotionRAGError as error:
        return str(error)
    return True
