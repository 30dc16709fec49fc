"""The whole examination, in the order in which faults build on each other."""

from __future__ import annotations

from collections.abc import Iterator

from motionrag_nodes.doctor.findings import Finding
from motionrag_nodes.doctor.libraries import examine_comfyui, examine_libraries
from motionrag_nodes.doctor.surroundings import Surroundings


def examine(surroundings: Surroundings) -> Iterator[Finding]:
    """Findings as they are made: libraries, ComfyUI, machine, models."""
    yield from examine_libraries()
    yield examine_comfyui(surroundings.comfyui_version, surroundings.comfyui_folder)
    # These import torch and what reads videos, of which the findings above tell first.
    from motionrag_nodes.doctor.machine import examine_machine
    from motionrag_nodes.doctor.models import examine_models

    yield from examine_machine([surroundings.output, *surroundings.databases])
    yield from examine_models(surroundings)
