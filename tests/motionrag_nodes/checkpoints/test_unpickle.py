"""Foreign checkpoints are opened without running anything in them."""

import os
import pickle
import re
from types import SimpleNamespace

import pytest
import torch
from packaging.version import Version

from motionrag_nodes.checkpoints.unpickle import SAFE_TORCH, read_checkpoint
from motionrag_nodes.errors import CheckpointInvalid, CheckpointRefused

old_torch = pytest.mark.skipif(
    Version(torch.__version__) < Version(SAFE_TORCH), reason="this torch is refused any checkpoint, which has a test"
)


class Hostile:
    """On an ordinary load this would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@old_torch
@pytest.mark.parametrize("wrapped", [True, False])
def test_flat_and_wrapped_dictionaries_are_read(tmp_path, wrapped):
    state = {"a.weight": torch.ones(2)}
    torch.save({"state_dict": state, "epoch": 3} if wrapped else state, tmp_path / "a.ckpt")
    loaded = read_checkpoint(tmp_path / "a.ckpt")
    assert list(loaded) == ["a.weight"] and torch.equal(loaded["a.weight"], state["a.weight"])


@old_torch
@pytest.mark.parametrize("before", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_what_parallel_and_compiled_training_put_before_every_key_is_taken_off(tmp_path, before):
    torch.save({"state_dict": {f"{before}a.weight": torch.ones(2), f"{before}b": torch.ones(1)}}, tmp_path / "a.ckpt")
    assert list(read_checkpoint(tmp_path / "a.ckpt")) == ["a.weight", "b"]
    torch.save({f"{before}a.weight": torch.ones(2), "module_b": torch.ones(1)}, tmp_path / "b.ckpt")
    assert list(read_checkpoint(tmp_path / "b.ckpt")) == [f"{before}a.weight", "module_b"]


@old_torch
def test_lightning_s_own_entries_beside_the_weights_are_left_alone(tmp_path):
    state = {"transformer.a": torch.ones(2, dtype=torch.bfloat16)}
    values = {
        "state_dict": state, "epoch": 3, "global_step": 9, "pytorch-lightning_version": "2.4.0", "loops": {"fit": {}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4}]}],
        "lr_schedulers": [{"last_epoch": 3}], "hyper_parameters": {"lr": 1e-4}, "ema_state_dict": {"a": torch.zeros(2)},
    }  # fmt: skip
    torch.save(values, tmp_path / "last.ckpt")
    assert list(read_checkpoint(tmp_path / "last.ckpt")) == ["transformer.a"]


@old_torch
def test_a_hostile_checkpoint_is_refused_by_name_and_not_run(tmp_path):
    values = {"state_dict": {"a": Hostile(tmp_path / "owned")}}
    torch.save(values, tmp_path / "zip.ckpt")
    for protocol in (2, 4):
        (tmp_path / f"pickle{protocol}.ckpt").write_bytes(pickle.dumps(values, protocol=protocol))
    torch.save(values, tmp_path / "legacy.ckpt", _use_new_zipfile_serialization=False)
    for path in sorted(tmp_path.glob("*.ckpt")):
        with pytest.raises(CheckpointRefused, match=r"would call .*posix.mkdir, so it was not loaded.*authors' own"):
            read_checkpoint(path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("version", ["2.4.0", "2.5.1+cu124"])
def test_a_torch_that_can_be_led_to_run_code_opens_no_checkpoint(tmp_path, monkeypatch, version):
    torch.save({"a.weight": torch.ones(2)}, tmp_path / "a.ckpt")
    monkeypatch.setattr(torch, "__version__", version)
    with pytest.raises(
        CheckpointRefused, match=rf"Expected torch 2\.6 or later .* found {re.escape(version)}: convert it"
    ):
        read_checkpoint(tmp_path / "a.ckpt")


@old_torch
def test_a_training_state_with_foreign_objects_is_refused(tmp_path):
    torch.save({"state_dict": {"a": torch.ones(1)}, "options": SimpleNamespace(x=1)}, tmp_path / "a.ckpt")
    with pytest.raises(CheckpointRefused, match=r"would call types.SimpleNamespace"):
        read_checkpoint(tmp_path / "a.ckpt")


@old_torch
@pytest.mark.parametrize("content", [b"", b"hello world", b"PK\x03\x04 broken", bytes(range(256))])
def test_damaged_files_are_refused(tmp_path, content):
    (tmp_path / "a.ckpt").write_bytes(content)
    with pytest.raises(CheckpointInvalid, match=r"Expected a torch checkpoint at .*a.ckpt, found .*download it again"):
        read_checkpoint(tmp_path / "a.ckpt")


@old_torch
def test_what_holds_no_tensors_is_refused(tmp_path):
    with pytest.raises(CheckpointInvalid, match=r"Expected a checkpoint at .*none.ckpt, found no file"):
        read_checkpoint(tmp_path / "none.ckpt")
    torch.save([torch.ones(1)], tmp_path / "list.ckpt")
    with pytest.raises(CheckpointInvalid, match=r"dictionary of tensors in .*list.ckpt, found list"):
        read_checkpoint(tmp_path / "list.ckpt")
    torch.save({"a": torch.ones(1), "step": 5}, tmp_path / "mixed.ckpt")
    with pytest.raises(CheckpointInvalid, match=r"found other values at step: choose the file of weights"):
        read_checkpoint(tmp_path / "mixed.ckpt")
