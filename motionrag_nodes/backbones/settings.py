"""How to generate: settings that every backbone has, how one of its own is declared, and their checks.

A setting is declared once, with its checks and with how the node Generate Video offers it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from motionrag_nodes.errors import GenerationSettingInvalid

if TYPE_CHECKING:
    from typing_extensions import Self

_FACTS = "setting"
# Of a video that a pack makes unasked: 256 frames of 2048x2048.
MOST_PIXELS = 1 << 30


@dataclass(frozen=True)
class SettingFacts:
    """What is known of a setting beside its type.

    least, most: the smallest value that is possible, the largest that the widget offers and that pack.json may hold.
    unset: the widget's value that takes the model's own. input_id: the widget's name where it is not the setting's.
    stored: whether pack.json may hold it. A setting without a tooltip has no widget.
    """

    tooltip: str = ""
    least: float | None = None
    most: float | None = None
    step: float = 1
    unset: float | str = 0
    input_id: str = ""
    stored: bool = True


def setting(tooltip: str = "", *, default: Any = MISSING, **facts: Any) -> Any:
    """A dataclass field with its SettingFacts."""
    return field(default=default, metadata={_FACTS: SettingFacts(tooltip=tooltip, **facts)})


def facts_of(kind: type[Settings]) -> dict[str, SettingFacts]:
    """Each setting of a class, in its order, with what is known of it."""
    return {entry.name: entry.metadata[_FACTS] for entry in fields(kind)}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one generation that every backbone has: frames per second `fps`, sizes in pixels."""

    steps: int = setting("Denoising steps: more are slower and cleaner.", least=1, most=200)
    frames: int = setting("How many frames to make.", least=1, most=256, input_id="frame_count")
    fps: int = setting("Frames per second of the video.", least=1, most=60)
    width: int = setting("Width in pixels.", least=1, most=4096, step=8)
    height: int = setting("Height in pixels.", least=1, most=4096, step=8)
    seed: int = setting(default=0, least=0, stored=False)

    @classmethod
    def stored_names(cls) -> list[str]:
        """The settings that pack.json holds."""
        return [name for name, facts in facts_of(cls).items() if facts.stored]

    @classmethod
    def upgraded(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        """What pack.json holds, as this version names it; a subclass knows what its own settings were once called."""
        return dict(stored)

    def changed(self, **values: Any) -> Self:
        """With other values; a subclass says what follows from them."""
        return replace(self, **values)

    def to_stored(self) -> dict[str, Any]:
        """What pack.json holds of it."""
        return {name: getattr(self, name) for name in self.stored_names()}

    def problems(self, *, pixel_multiple: int = 8) -> list[str]:
        """Everything that is impossible, one sentence each; a subclass adds its own."""
        found = [
            f"{name}: expected a positive multiple of {pixel_multiple}, received {getattr(self, name)}; "
            f"the nearest is {max(pixel_multiple, round(getattr(self, name) / pixel_multiple) * pixel_multiple)}"
            for name in ("width", "height")
            if getattr(self, name) < 1 or getattr(self, name) % pixel_multiple
        ]
        found += [
            f"{name}: expected at least {facts.least}, received {getattr(self, name)}"
            for name, facts in facts_of(type(self)).items()
            if facts.least is not None and name not in ("width", "height") and not getattr(self, name) >= facts.least
        ]
        return found

    def stored_problems(self) -> list[str]:
        """What no pack may hold, since memory and time would be asked for by it, one sentence each."""
        found = [
            f"{name}: expected at most {facts.most:g}, received {str(getattr(self, name))[:20]}"
            for name, facts in facts_of(type(self)).items()
            if facts.stored and facts.most is not None and not getattr(self, name) <= facts.most
        ]
        if not found and self.frames * self.width * self.height > MOST_PIXELS:
            found.append(
                f"frames: expected at most {MOST_PIXELS} pixels in all, received {self.frames} of {self.width}x"
                f"{self.height}"
            )
        return found

    def validate(self, *, pixel_multiple: int = 8) -> None:
        """Check every setting.

        Raises GenerationSettingInvalid: lists every problem at once.
        """
        problems = self.problems(pixel_multiple=pixel_multiple)
        if problems:
            listed = "\n".join(f"  - {problem}" for problem in problems)
            raise GenerationSettingInvalid(
                f"Expected possible generation settings, received {len(problems)} problem(s). Correct these:\n{listed}"
            )
