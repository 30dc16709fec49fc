"""Widgets for the settings of every backbone, made from what the backbones say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

from comfy_api.latest import io

from motionrag_nodes.backbones.backbone import Backbone, all_backbones
from motionrag_nodes.backbones.settings import SettingFacts, Settings, facts_of
from motionrag_nodes.errors import GenerationSettingInvalid

# Shown at once; the others when the node's advanced inputs are.
_UNFOLDED = ("steps", "frame_count", "prompt")
_INPUTS = {"int": io.Int.Input, "float": io.Float.Input}


def setting_widgets() -> list[io.Input]:
    """One widget for each setting that some backbone has; those of later backbones follow, and may be absent.

    Saved workflows hold the values of widgets by their place, or hold those alone that there were: the order never
    changes, and what was added is optional.
    """
    first = facts_of(all_backbones()[0].settings)
    made = {
        input_id: _widget(input_id, kind, facts, optional=name not in first)
        for input_id, (name, kind, facts) in _offered().items()
    }
    return [widget if input_id in _UNFOLDED else folded(widget) for input_id, widget in made.items()]


def folded(widget: io.Input) -> io.Input:
    """The widget among a node's advanced inputs, which are shown when they are asked for."""
    widget.extra_dict = {**(getattr(widget, "extra_dict", None) or {}), "advanced": True}
    return widget


def settings_from_widgets(backbone: Backbone, defaults: Settings, chosen: Mapping[str, Any], *, seed: int) -> Settings:
    """The model's own settings, changed by the widgets that are set. Texts that a model does not read are left out.

    Raises GenerationSettingInvalid: a number was set that this kind of model does not have; every one is listed.
    """
    offered, own = _offered(), facts_of(backbone.settings)
    changed = {input_id: value for input_id, value in chosen.items() if value != offered[input_id][2].unset}
    foreign = [input_id for input_id in changed if offered[input_id][0] not in own]
    listed = ", ".join(
        f"{input_id} {changed[input_id]} (leave it at {offered[input_id][2].unset})"
        for input_id in foreign
        if offered[input_id][1] != "str"
    )
    if listed:
        raise GenerationSettingInvalid(
            f"Expected settings of {backbone.title} alone, received {listed}: leave those out."
        )
    values = {offered[input_id][0]: value for input_id, value in changed.items() if input_id not in foreign}
    return defaults.changed(seed=seed, **values)


def own_values(defaults: Settings) -> dict[str, float | str]:
    """Of a model's own settings those that have a widget, by input id: what the page shows where none is set."""
    own = facts_of(type(defaults))
    return {input_id: getattr(defaults, name) for input_id, (name, *_) in _offered().items() if name in own}


def unset_values() -> dict[str, float | str]:
    """By input id, what stands for the model's own."""
    return {
        input_id: str(facts.unset) if kind == "str" else _as(kind, facts.unset)
        for input_id, (_, kind, facts) in _offered().items()
    }


def _offered() -> dict[str, tuple[str, str, SettingFacts]]:
    """Input id -> the setting's name, type and facts, in the order of the widgets."""
    found: dict[str, tuple[str, str, SettingFacts]] = {}
    for backbone in all_backbones():
        for name, kind, facts in _with_widgets(backbone.settings):
            found.setdefault(facts.input_id or name, (name, kind, facts))
    return found


def _with_widgets(settings: type[Settings]) -> Iterator[tuple[str, str, SettingFacts]]:
    facts = facts_of(settings)
    for entry in fields(settings):
        if facts[entry.name].tooltip:
            yield entry.name, str(entry.type), facts[entry.name]


def _widget(input_id: str, kind: str, facts: SettingFacts, *, optional: bool) -> io.Input:
    if kind == "str":
        return io.String.Input(
            input_id,
            display_name=f"video model's {input_id.replace('_', ' ')}",
            default=facts.unset,
            multiline=True,
            optional=optional,
            placeholder=f"{input_id.replace('_', ' ')} for models that read text (CogVideoX, Wan)",
            tooltip=facts.tooltip,
        )
    return _INPUTS[kind](
        input_id,
        default=_as(kind, facts.unset),
        min=_as(kind, facts.unset),
        max=_as(kind, facts.most),
        step=_as(kind, facts.step),
        optional=optional,
        tooltip=f"{facts.tooltip} {facts.unset:g} takes the model's own.",
    )


def _as(kind: str, value: float | str | None) -> float:
    assert isinstance(value, int | float)  # numbers have all four
    return int(value) if kind == "int" else float(value)
