"""The command `motionrag convert`, as a user runs it."""

import os
import subprocess
import sys

import torch
from typer import Typer
from typer.testing import CliRunner

from motionrag_nodes.cli.convert import convert


def arguments(folder, output):
    files = {"motion-proj": "a.ckpt", "motion-transformer": "b.ckpt", "adapter": "c.ckpt"}
    named = [part for option, file in files.items() for part in (f"--{option}", str(folder / file))]
    return ["--backbone", "svd", *named, "--output", str(output)]


def test_a_pack_is_made_and_described(tmp_path, monkeypatch, tiny_pack_config, tiny_modules):
    from motionrag_nodes.checkpoints import convert as conversion

    # The published sizes would take gigabytes: only they are replaced, the rest of the way is the user's.
    monkeypatch.setattr(conversion, "published_config", lambda backbone, name: tiny_pack_config)
    for file, module in zip("abc", tiny_modules, strict=True):
        torch.save({"state_dict": module.state_dict()}, tmp_path / f"{file}.ckpt")
    app = Typer()
    app.command()(convert)
    result = CliRunner().invoke(app, arguments(tmp_path, tmp_path / "pack"))
    assert result.exit_code == 0, result.output
    assert "motion_adapter.safetensors" in result.output and "Base model: base" in result.output
    assert (tmp_path / "pack" / "pack.json").is_file()


def test_bad_input_ends_with_a_message_and_code_2(tmp_path):
    command = [sys.executable, "-m", "motionrag_nodes.cli.main", "convert", *arguments(tmp_path, tmp_path / "pack")]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"}, check=False)
    assert result.returncode == 2
    assert "Expected a checkpoint at" in result.stderr and "correct the path" in result.stderr
    assert "Traceback" not in result.stderr
