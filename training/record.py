"""What a run's logs say of its training."""

from __future__ import annotations

import csv
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch


def training_record(run_folder: Path) -> dict[str, Any]:
    """What the card says of the training: steps, hours and last losses of each stage, from the logs, and of the
    training that a stage went on from."""
    stages: dict[str, dict[str, Any]] = {}
    for log in sorted(run_folder.glob("*.csv")):
        rows = list(csv.DictReader(log.open()))
        if rows:
            last = rows[-1]
            losses = {k: float(v) for k, v in last.items() if k not in ("step", "seconds", "learning_rate")}
            stages[log.stem] = {
                "steps": int(last["step"]),
                "hours": round(float(last["seconds"]) / 3600, 3),
                "losses": losses,
            }
    for lineage in sorted(run_folder.glob("*.began_from.json")):
        stage = stages.setdefault(lineage.name.split(".")[0], {"steps": 0, "hours": 0.0})
        stage["began_from"] = json.loads(lineage.read_text(encoding="utf-8"))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {"stages": stages, "commit": commit, "torch": torch.__version__, "machine": platform.machine(), "seed": 0}
