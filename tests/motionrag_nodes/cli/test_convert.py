"""The command `motionrag convert`, as a user runs it."""

import json
import os
import subprocess
import sys

import pytest
import torch
from typer import Typer
from typer.testing import CliRunner

from index_builder.errors import EncoderCodeRefused, EncoderNotFound
from index_builder.features.sentence_encoder import ALLOWED_CODE
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.cli.convert import convert
from tests.index_builder.sentence_folder import save_tiny_sentence_encoder


def arguments(folder):
    files = {"motion-proj": "a.ckpt", "motion-transformer": "b.ckpt", "adapter": "c.ckpt"}
    named = [part for option, file in files.items() for part in (f"--{option}", str(folder / file))]
    return ["--backbone", "svd", *named]


@pytest.fixture
def run(tmp_path, monkeypatch, tiny_pack_config, tiny_modules):
    """The command on small checkpoints: the published sizes would take gigabytes, the rest of the way is the user's."""
    monkeypatch.setattr("motionrag_nodes.checkpoints.published.published_config", lambda *_, **__: tiny_pack_config)
    for file, module in zip("abc", tiny_modules, strict=True):
        torch.save({"state_dict": module.state_dict()}, tmp_path / f"{file}.ckpt")
    app = Typer()
    app.command()(convert)

    def invoke(*more):
        return CliRunner().invoke(app, [*arguments(tmp_path), *more])

    return invoke


def test_a_pack_is_made_and_described(run, tmp_path):
    result = run("--output", str(tmp_path / "pack"))
    assert result.exit_code == 0, result.output
    assert "motion_adapter.safetensors" in result.output and "Base model: base" in result.output
    assert "Its motion encoder is not on this machine yet: motionrag fetch svd" in result.output
    assert (tmp_path / "pack" / "pack.json").is_file()


def test_a_sentence_encoder_of_ones_own_is_copied_into_the_pack(run, tmp_path):
    save_tiny_sentence_encoder(tmp_path / "words")
    made = run("--output", str(tmp_path / "pack"), "--sentence-encoder", str(tmp_path / "words"))
    assert made.exit_code == 0, made.output
    pack = load_pack(tmp_path / "pack")
    assert pack.captions_encoder.encode_text(["a cat jumps"]).shape == (1, 8) and pack.config.version == 2
    missing = run("--output", str(tmp_path / "other"), "--sentence-encoder", str(tmp_path))
    assert isinstance(missing.exception, EncoderNotFound) and "modules.json" in str(missing.exception)


def test_a_sentence_encoder_with_code_needs_leave_twice(run, tmp_path, monkeypatch):
    save_tiny_sentence_encoder(tmp_path / "words")
    settings = json.loads((tmp_path / "words" / "config.json").read_text())
    settings["auto_map"] = {"AutoModel": "own.Own"}
    (tmp_path / "words" / "config.json").write_text(json.dumps(settings))
    (tmp_path / "words" / "own.py").write_text("raise SystemExit('it ran')")
    arguments = ["--output", str(tmp_path / "pack"), "--sentence-encoder", str(tmp_path / "words")]
    refused = run(*arguments)
    assert isinstance(refused.exception, EncoderCodeRefused) and "own.Own" in str(refused.exception)
    assert "add --allow-encoder-code" in str(refused.exception) and not (tmp_path / "pack").exists()
    made = run(*arguments, "--allow-encoder-code")
    pack = load_pack(tmp_path / "pack")
    allowing = f"{ALLOWED_CODE}={pack.config.encoders['captions'].fingerprint}"
    assert made.exit_code == 0 and f"export {allowing}" in made.output
    with pytest.raises(EncoderCodeRefused, match=f"set {allowing}"):
        _ = pack.captions_encoder


def test_bad_input_ends_with_a_message_and_code_2(tmp_path):
    given = [*arguments(tmp_path), "--output", str(tmp_path / "pack")]
    command = [sys.executable, "-m", "motionrag_nodes.cli.main", "convert", *given]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"}, check=False)
    assert result.returncode == 2
    assert "Expected a checkpoint at" in result.stderr and "correct the path" in result.stderr
    assert "Traceback" not in result.stderr
