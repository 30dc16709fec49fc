"""Stores what the editor answers for the corpus: MOTIONRAG_EDITOR=... python -m tests.editor.write_truths"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from tests.editor.asking import answers, as_truth, corpus
from tests.editor.conftest import EDITOR_VARIABLE, server_with_editor
from tests.motionrag_nodes.batch_render.conversion.corpus import TRUTHS


def main() -> None:
    with server_with_editor(Path(os.environ[EDITOR_VARIABLE])) as server:
        found = {case.name: as_truth(export) for case, export in answers(server, list(corpus(server)))}
    kept = {name: {key: value for key, value in asdict(truth).items() if value} for name, truth in found.items()}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(truth)}" for name, truth in sorted(kept.items()))
    TRUTHS.write_text('{"asked": "ComfyUI_frontend 1.49.6 with ComfyUI 0.3.75", "answers": {\n' + lines + "\n}}\n")


if __name__ == "__main__":
    main()
