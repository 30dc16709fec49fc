"""Packs on disk: a round trip, and everything that may be wrong with one."""

import json
import os

import pytest
import torch

from index_builder.errors import ModelFilesRefused
from motionrag_nodes.adapted_tokens.calibration import TokenCalibration
from motionrag_nodes.checkpoints.pack import load_pack, write_calibration
from motionrag_nodes.errors import PackInvalid, PackNotFound


def change_json(folder, change):
    path = folder / "pack.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


def test_a_written_pack_loads_to_the_same_weights(tmp_path, write_tiny_pack, tiny_modules):
    pack = load_pack(write_tiny_pack(tmp_path / "pack"))
    loaded = (pack.motion_resampler, pack.context_transformer, pack.adapter)
    for module, original in zip(loaded, tiny_modules, strict=True):
        state, expected = module.state_dict(), original.state_dict()
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[key], expected[key]) for key in expected)
        assert not module.training and not any(parameter.requires_grad for parameter in module.parameters())
    table = pack.context_transformer.positions
    assert torch.equal(table, tiny_modules[1].positions)
    assert sorted(path.name for path in (tmp_path / "pack").iterdir()) == [
        "appearance_resampler.safetensors",
        "context_transformer.safetensors",
        "motion_adapter.safetensors",
        "motion_resampler.safetensors",
        "pack.json",
    ]
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in (tmp_path / "pack").iterdir())  # others may read it
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]


def test_half_precision_files_load_as_float32(tmp_path, write_tiny_pack):
    pack = load_pack(write_tiny_pack(tmp_path / "pack", dtype=torch.float16))
    assert {parameter.dtype for parameter in pack.adapter.parameters()} == {torch.float32}


def test_the_tokens_fingerprint_follows_the_resampler_and_not_the_adapter(tmp_path, write_tiny_pack, tiny_modules):
    resampler, _, adapter = tiny_modules
    first = load_pack(write_tiny_pack(tmp_path / "a")).tokens_fingerprint
    other_adapter = {key: value + 1 for key, value in adapter.state_dict().items()}
    assert load_pack(write_tiny_pack(tmp_path / "b", adapter_state=other_adapter)).tokens_fingerprint == first
    other = {key: value + 1 for key, value in resampler.state_dict().items()}
    assert load_pack(write_tiny_pack(tmp_path / "c", motion_resampler_state=other)).tokens_fingerprint != first


def test_folders_come_along_and_the_base_is_found_inside(tmp_path, write_tiny_pack):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_index.json").write_text("{}")
    pack = load_pack(write_tiny_pack(tmp_path / "pack", folders={"base": tmp_path / "model"}))
    assert pack.base_source == (tmp_path / "pack" / "base").resolve()
    assert load_pack(write_tiny_pack(tmp_path / "bare")).base_source == "base"


def test_a_pack_is_replaced_only_when_asked_and_nothing_else_ever(tmp_path, write_tiny_pack, tiny_modules):
    folder = write_tiny_pack(tmp_path / "pack")
    with pytest.raises(PackInvalid, match=r"Expected a new folder for the pack, but .*pack exists"):
        write_tiny_pack(folder)
    other = {key: value + 1 for key, value in tiny_modules[2].state_dict().items()}
    write_tiny_pack(folder, adapter_state=other, overwrite=True)
    state = load_pack(folder).adapter.state_dict()
    assert all(torch.equal(state[key], other[key]) for key in other)
    precious = tmp_path / "precious"
    precious.mkdir()
    with pytest.raises(PackInvalid, match="precious exists"):
        write_tiny_pack(precious, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack", "precious"]


def test_a_failed_write_leaves_nothing(tmp_path, write_tiny_pack):
    with pytest.raises(FileNotFoundError):
        write_tiny_pack(tmp_path / "pack", folders={"base": tmp_path / "nowhere"})
    assert list(tmp_path.iterdir()) == []


def test_states_that_do_not_fit_are_refused_with_every_key(tmp_path, write_tiny_pack, tiny_modules):
    state = dict(tiny_modules[2].state_dict())
    first, second = list(state)[:2]
    state["unet.other.weight"] = state.pop(first)
    state[second] = torch.zeros(2, 2)
    with pytest.raises(PackInvalid) as error:
        write_tiny_pack(tmp_path / "pack", adapter_state=state)
    text = str(error.value)
    assert f"missing: {first} [32, 32]" in text
    assert "unexpected: unet.other.weight" in text
    assert f"shape: {second} expected [32, 32], received [2, 2]" in text


def test_loading_is_strict(tmp_path, write_tiny_pack):
    folder = write_tiny_pack(tmp_path / "pack")
    change_json(folder, lambda values: values["adapter"]["sites"].update({"mid_block.attentions.1": 64}))
    with pytest.raises(
        PackInvalid, match=r"Expected weights of the sizes in pack.json .*:\n  - motion_adapter.*missing: unet.mid"
    ):
        load_pack(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "Expected the file motion_adapter.safetensors inside"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "Expected [0-9]+ bytes in .*found [0-9]+: copy"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x7f"), "Expected sha256 .*copy the pack again"),
    ],
)
def test_damaged_files_are_refused(tmp_path, write_tiny_pack, damage, message):
    folder = write_tiny_pack(tmp_path / "pack")
    damage(folder / "motion_adapter.safetensors")
    with pytest.raises(PackInvalid, match=message):
        load_pack(folder)


def test_a_file_may_not_lead_out_of_the_pack(tmp_path, write_tiny_pack):
    folder = write_tiny_pack(tmp_path / "pack")
    outside = (folder / "motion_adapter.safetensors").rename(tmp_path / "outside.safetensors")
    (folder / "motion_adapter.safetensors").symlink_to(outside)
    with pytest.raises(ModelFilesRefused, match=r"found motion_adapter\.safetensors: it is a link that leads out"):
        load_pack(folder)


def test_a_missing_pack_is_named_with_the_remedy(tmp_path):
    with pytest.raises(
        PackNotFound, match=r"Expected a folder with pack.json .*received .*nothing: .*motionrag convert"
    ):
        load_pack(tmp_path / "nothing")


def test_a_changed_encoder_is_refused_when_it_is_first_used(tiny_pack):
    config = tiny_pack.folder / "appearance" / "config.json"
    config.write_text(config.read_text().replace('"num_hidden_layers": 1', '"num_hidden_layers": 2'))
    pack = load_pack(tiny_pack.folder)
    with pytest.raises(PackInvalid, match=r"the appearance encoder of fingerprint \w{16} in .* changed or swapped"):
        _ = pack.appearance_encoder
    assert pack.motion_encoder.fingerprint == pack.config.encoders["motion"].fingerprint


def test_a_base_model_in_the_pack_is_held_to_what_it_was(tmp_path, write_tiny_pack):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_index.json").write_text("{}")
    folder = write_tiny_pack(tmp_path / "pack", folders={"base": tmp_path / "model"})
    assert load_pack(folder).base_source == folder / "base"
    assert json.loads((folder / "pack.json").read_text())["base"].keys() == {"source", "fingerprint"}
    (folder / "base" / "model_index.json").write_text("[]")
    with pytest.raises(PackInvalid, match="Expected the base model of fingerprint"):
        _ = load_pack(folder).base_source


def test_a_base_model_s_fingerprint_must_be_text(tmp_path, write_tiny_pack):
    folder = write_tiny_pack(tmp_path / "pack")
    values = json.loads((folder / "pack.json").read_text())
    values["base"]["fingerprint"] = 7
    (folder / "pack.json").write_text(json.dumps(values))
    with pytest.raises(PackInvalid, match=r"base\.fingerprint: expected text, received 7"):
        load_pack(folder)


def calibration(gain=1.5, *, token_dim=32):
    made = TokenCalibration(tokens_per_clip=3, token_dim=token_dim)
    made.gain.fill_(gain)
    made.offset += 0.25
    return made


def test_a_calibration_joins_the_pack_and_takes_the_place_of_another(tmp_path, write_tiny_pack):
    folder = write_tiny_pack(tmp_path / "pack")
    plain = load_pack(folder)
    assert plain.calibration.gain.item() == 1 and not plain.calibration.offset.any()
    for gain in (1.5, 1.2):
        write_calibration(folder, calibration(gain))
        pack = load_pack(folder)
        assert pack.calibration.gain.item() == pytest.approx(gain)
        assert (pack.calibration.offset == 0.25).all()
        assert pack.tokens_fingerprint == plain.tokens_fingerprint  # no database needs to be built again
    assert sorted(path.name for path in folder.iterdir() if "calibration" in path.name) == [
        "token_calibration.safetensors"
    ]
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_calibration_of_other_sizes_is_refused_and_the_pack_stays(tmp_path, write_tiny_pack):
    folder = write_tiny_pack(tmp_path / "pack")
    before = (folder / "pack.json").read_bytes()
    with pytest.raises(PackInvalid, match=r"offset expected \[3, 32\], received \[3, 16\]"):
        write_calibration(folder, calibration(token_dim=16))
    assert (folder / "pack.json").read_bytes() == before


def test_a_damaged_calibration_is_refused(tmp_path, write_tiny_pack):
    folder = write_tiny_pack(tmp_path / "pack")
    write_calibration(folder, calibration())
    file = folder / "token_calibration.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(PackInvalid, match=r"Expected sha256 .* of .*token_calibration\.safetensors"):
        load_pack(folder)
    file.unlink()
    with pytest.raises(PackInvalid, match=r"Expected the file token_calibration\.safetensors"):
        load_pack(folder)


@pytest.mark.parametrize("calls", range(4))
def test_a_pack_survives_a_kill_while_it_is_calibrated(tmp_path, write_tiny_pack, monkeypatch, calls):
    folder = write_tiny_pack(tmp_path / "pack")
    write_calibration(folder, calibration(1.1))
    replaced = []
    real = os.replace

    def stop_after(source, target):
        if len(replaced) == calls:
            raise KeyboardInterrupt
        replaced.append(target)
        real(source, target)

    monkeypatch.setattr(os, "replace", stop_after)
    if calls < 3:
        with pytest.raises(KeyboardInterrupt):
            write_calibration(folder, calibration(1.4))
    else:
        write_calibration(folder, calibration(1.4))
    gain = load_pack(folder).calibration.gain.item()
    assert gain == pytest.approx({0: 1.1, 1: 1.0, 2: 1.0, 3: 1.4}[calls])
