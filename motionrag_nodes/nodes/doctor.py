"""Motion Doctor: what `motionrag doctor` says, from inside the editor and with the folders that ComfyUI searches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from comfy_api.latest import io

from motionrag_nodes.nodes import model_folders, previews

if TYPE_CHECKING:
    from motionrag_nodes.doctor.surroundings import Surroundings


class Doctor(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGDoctor",
            display_name="Motion Doctor",
            category="MotionRAG",
            description=(
                "Examines the installation: libraries, folders, packs, databases, video decoders, disk. Says what is "
                "wrong and what to do. (check, diagnose, troubleshoot, help)"
            ),
            is_output_node=True,
            not_idempotent=True,
            inputs=[
                io.Boolean.Input(
                    "only_faults",
                    default=False,
                    tooltip="Show only warnings and problems.",
                )
            ],
            outputs=[
                io.String.Output("report", display_name="report", tooltip="The findings as text. For Preview Any.")
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, only_faults: bool) -> float:
        """Never equal to itself: the installation may have changed since."""
        return float("nan")

    @classmethod
    def execute(cls, only_faults: bool) -> io.NodeOutput:
        from motionrag_nodes.doctor.examine import examine
        from motionrag_nodes.doctor.findings import as_text

        findings = [finding for finding in examine(_surroundings()) if not (only_faults and finding.level == "ok")]
        report = as_text(findings)
        return io.NodeOutput(report, ui=previews.text(report))


def _surroundings() -> Surroundings:
    import comfyui_version
    import folder_paths

    from motionrag_nodes.doctor.surroundings import Surroundings

    searched = {kind: tuple(folders) for kind, folders in model_folders.searched().items()}
    return Surroundings(
        packs=searched[model_folders.PACKS],
        databases=searched[model_folders.DATABASES],
        base_models=searched[model_folders.BASE_MODELS],
        comfyui_version=comfyui_version.__version__,
        comfyui_folder=Path(folder_paths.base_path),
        output=Path(folder_paths.get_output_directory()),
    )
