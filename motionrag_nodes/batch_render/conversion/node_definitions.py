"""What the server declares of a node class, in the order in which the editor builds the node from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from motionrag_nodes.batch_render.conversion.js_values import as_js, js_text, property_order
from motionrag_nodes.batch_render.errors import ConversionError

_UPLOAD_FLAGS = ("image_upload", "video_upload", "animated_image_upload")
# Classes to which the editor adds a player, under this input's name and type.
_WITH_AUDIO_PLAYER = frozenset(
    {"LoadAudio", "SaveAudio", "PreviewAudio", "SaveAudioMP3", "SaveAudioOpus", "SaveAudioAdvanced"}
)
_AUDIO_PLAYER = ("audioUI", "AUDIO_UI")
_WITH_3D_VIEW = frozenset({"Preview3D", "SaveGLB"})


@dataclass(frozen=True)
class InputDeclaration:
    """An input of a class. `options`: what stands beside its type; `choices`: those of a COMBO.

    `old_list`: the choices stand in place of the type, as they did before there was COMBO.
    """

    name: str
    type: str
    optional: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[Any, ...] = ()
    old_list: bool = False

    @property
    def forced_to_socket(self) -> bool:
        """Whether it is a socket though its type has a widget."""
        # `defaultInput` of an optional input means the same, so that it can stay unset.
        return bool(self.options.get("forceInput") or (self.optional and self.options.get("defaultInput")))

    def renamed(self, name: str, *, optional: bool | None = None) -> InputDeclaration:
        """The same under another name, and optional as told."""
        return replace(self, name=name, optional=self.optional if optional is None else optional)


@dataclass(frozen=True)
class OutputDeclaration:
    """One output of a class of nodes."""

    name: str
    type: Any
    match_group: str | None = None  # outputs of one group take the type of what is connected to the group's inputs


@dataclass(frozen=True)
class NodeDefinition:
    """A class of nodes. `inputs`: as declared, required first; `build_order`: as the editor makes them.

    `of_pack`: it comes with custom nodes, whose own page may add to it.
    """

    name: str
    title: str
    inputs: tuple[InputDeclaration, ...]
    build_order: tuple[InputDeclaration, ...]
    outputs: tuple[OutputDeclaration, ...]
    of_pack: bool = False


class NodeDefinitions:
    """The classes of a server, read from its object_info as they are asked for."""

    def __init__(self, object_info: Mapping[str, Any]) -> None:
        self._object_info = object_info
        self._known: dict[str, NodeDefinition] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._object_info

    def get(self, name: str) -> NodeDefinition | None:
        """The class of this name, or None where the server has none. Raises ConversionError: not as it should be."""
        if name not in self._object_info:
            return None
        if name not in self._known:
            self._known[name] = _definition(name, self._object_info[name])
        return self._known[name]


def declarations(section: Any, *, optional: bool) -> list[InputDeclaration]:
    """The inputs of one section ("required", "optional") in the order of their names."""
    if not isinstance(section, Mapping):
        return []
    return [declaration(name, section[name], optional=optional) for name in property_order(section)]


def declaration(name: str, spec: Any, *, optional: bool) -> InputDeclaration:
    """An input from [type or list of choices, options]."""
    parts = spec if isinstance(spec, list) else [spec]
    kind = parts[0] if parts else None
    options = parts[1] if len(parts) > 1 and isinstance(parts[1], Mapping) else {}
    # The options may rename the input; the editor then goes by that name.
    name = options["name"] if isinstance(options.get("name"), str) else name
    if isinstance(kind, list):
        return InputDeclaration(name, "COMBO", optional, options, tuple(kind), old_list=True)
    if kind == "COMBO":
        choices = options.get("options")
        return InputDeclaration(name, "COMBO", optional, options, tuple(choices) if isinstance(choices, list) else ())
    return InputDeclaration(name, kind if isinstance(kind, str) else "UNKNOWN", optional, options)


def _definition(key: str, raw: Any) -> NodeDefinition:
    if not isinstance(raw, Mapping):
        raise ConversionError(
            f"Expected an object for class {key} in the server's object_info, received another value: restart ComfyUI "
            "and try again."
        )
    info = as_js(raw)
    # A class that is declared under the name of another is sent as that one.
    name = _text(info.get("name")) or key
    sections = info["input"] if isinstance(info.get("input"), dict) else {}
    required = dict(sections["required"]) if isinstance(sections.get("required"), dict) else {}
    _add_editor_inputs(name, required)
    inputs = [*declarations(required, optional=False), *declarations(sections.get("optional"), optional=True)]
    return NodeDefinition(
        name=name,
        title=_text(info.get("display_name")) or name,
        inputs=tuple(inputs),
        build_order=tuple(_build_order(inputs, info.get("input_order"))),
        outputs=tuple(_outputs(info)),
        of_pack=_text(info.get("python_module")).startswith("custom_nodes"),
    )


def _add_editor_inputs(name: str, required: dict[str, Any]) -> None:
    """Inputs that exist in the editor only: buttons to choose a file, players, views."""
    if name in _WITH_AUDIO_PLAYER:
        required[_AUDIO_PLAYER[0]] = [_AUDIO_PLAYER[1], {}]
    audio = declaration("audio", required.get("audio"), optional=False)
    if audio.options.get("audio_upload") is True:
        required["upload"] = ["AUDIOUPLOAD", {}]
    for input_name in property_order(required):
        found = declaration(input_name, required[input_name], optional=False)
        if found.type == "COMBO" and any(found.options.get(flag) is True for flag in _UPLOAD_FLAGS):
            required["upload"] = ["IMAGEUPLOAD", {**found.options, "imageInputName": input_name}]
            break
    if name in _WITH_3D_VIEW:
        required["image"] = ["PREVIEW_3D"]
    if name == "Load3DAdvanced":
        required["viewport_state"] = ["LOAD_3D_ADVANCED", {}]


def _build_order(inputs: list[InputDeclaration], order: Any) -> list[InputDeclaration]:
    if not isinstance(order, dict):
        return inputs
    by_name = {item.name: item for item in inputs}
    ordered: list[InputDeclaration] = []
    for section, optional in (("required", False), ("optional", True)):
        names = order.get(section)
        for name in names if isinstance(names, list) else []:
            found = by_name.get(name) if isinstance(name, str) else None
            if found is not None and found.optional is optional:
                ordered.append(found)
    placed = {item.name for item in ordered}
    return ordered + [item for item in inputs if item.name not in placed]


def _outputs(info: dict[str, Any]) -> list[OutputDeclaration]:
    types = info["output"] if isinstance(info.get("output"), list) else []
    names = info["output_name"] if isinstance(info.get("output_name"), list) else []
    groups = info["output_matchtypes"] if isinstance(info.get("output_matchtypes"), list) else []
    outputs = []
    for index, kind in enumerate(types):
        name = names[index] if index < len(names) else None
        group = groups[index] if index < len(groups) else None
        outputs.append(
            OutputDeclaration(
                name=js_text(name) if name else f"output_{index}",
                type="COMBO" if isinstance(kind, list) else kind,
                match_group=group if isinstance(group, str) else None,
            )
        )
    return outputs


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
