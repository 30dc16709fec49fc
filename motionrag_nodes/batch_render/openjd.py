"""A batch as an Open Job Description template (2023-09), which Deadline and other farms take: a task renders a part.

https://github.com/OpenJobDescription/openjd-specifications/wiki/2023-09-Template-Schemas
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.batch_render.request import RenderRequest

_MOST_NAME = 128
_MOST_WORD = 2048
_WORKFLOW, _JOBS = "Workflow", "Jobs"


def write_template(path: Path, request: RenderRequest, server_arguments: Sequence[str], *, tasks: int) -> None:
    """Writes the template as JSON. `tasks`: how many parts a farm makes of the batch unless it is told otherwise.

    Each part's results, manifest and gallery go to a folder of its number in the output folder.
    Raises RenderError: a value that no template holds, or a file that cannot be written.
    """
    template = job_template(request, server_arguments, tasks=tasks, folder=path.absolute().parent)
    text = json.dumps(template, indent=2, ensure_ascii=False)
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise RenderError(
            f"Expected to write {path}, but it is not possible ({error.strerror or error}): choose another "
            "--export-openjd."
        ) from error


def job_template(
    request: RenderRequest, server_arguments: Sequence[str], *, tasks: int, folder: Path
) -> dict[str, Any]:
    """The template: files are parameters of the kind PATH, so that a farm can say where they lie on its machines.

    A path has a default where it lies in `folder`, beside the template; others are given to the farm with the job.
    """
    workflows = [f"{_WORKFLOW}{number}" for number in range(1, len(request.workflows) + 1)]
    files = dict(zip(workflows, request.workflows, strict=True))
    if request.table is not None:
        files[_JOBS] = request.table
    parameters = [_path_parameter(name, "FILE", "IN", path, folder) for name, path in files.items()]
    parameters.append(_path_parameter("Output", "DIRECTORY", "OUT", request.output, folder))
    parameters.append({"name": "Parts", "type": "INT", "minValue": 1, "default": tasks})
    words = ["render", *(f"{{{{Param.{name}}}}}" for name in workflows), *_own_words(request, server_arguments)]
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "name": f"MotionRAG {request.workflows[0].stem}"[:_MOST_NAME],
        "parameterDefinitions": parameters,
        "steps": [
            {
                "name": "Render",
                "parameterSpace": {
                    "taskParameterDefinitions": [{"name": "Part", "type": "INT", "range": "1-{{Param.Parts}}"}]
                },
                "script": {"actions": {"onRun": {"command": "motionrag", "args": words}}},
            }
        ],
    }


def _path_parameter(name: str, kind: str, flow: str, path: Path, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "type": "PATH", "objectType": kind, "dataFlow": flow}
    if path.absolute().is_relative_to(folder):
        found["default"] = path.absolute().relative_to(folder).as_posix()
    return found


def _own_words(request: RenderRequest, server_arguments: Sequence[str]) -> list[str]:
    fixed = [word for text in request.assignments for word in ("--set", text)]
    fixed += ["--jobs-encoding", request.table_encoding] if request.table_encoding else []
    fixed += ["--name-template", request.template.text, *server_arguments]
    fixed += ["--force"] if request.force else []
    wrong = next((word for word in fixed if "{{" in word or len(word) > _MOST_WORD or _has_controls(word)), None)
    if wrong is not None:
        raise RenderError(
            f"Expected values of one line, without {{{{ and of at most {_MOST_WORD} letters, for an OpenJD template, "
            f"received {wrong!r:.80}: put it into the workflow or the --jobs table."
        )
    table = ["--jobs", f"{{{{Param.{_JOBS}}}}}"] if request.table is not None else []
    part = ["--output", "{{Param.Output}}/{{Task.Param.Part}}", "--part", "{{Task.Param.Part}}/{{Param.Parts}}"]
    return [*table, *fixed, *part]


def _has_controls(word: str) -> bool:
    return any(ord(letter) < 32 or ord(letter) == 127 for letter in word)
