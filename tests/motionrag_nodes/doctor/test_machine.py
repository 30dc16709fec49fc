"""The machine is tried out: a wrong kernel, a broken decoder and a full disk are noticed."""

from pathlib import Path

import torch
import torch.nn.functional as F

from motionrag_nodes.doctor import machine
from motionrag_nodes.doctor.machine import examine_accelerator, examine_convolution, examine_decoders, examine_disks


def drops_columns(pixels: torch.Tensor, weights: torch.Tensor, **settings) -> torch.Tensor:
    """The fault that was seen: in bfloat16 only 3 of the 16 columns of a patch count."""
    if pixels.dtype == torch.bfloat16:
        weights = weights.clone()
        weights[..., 3:] = 0
    return F.conv3d(pixels, weights, **settings)


def test_a_convolution_that_reads_wrong_columns_is_noticed() -> None:
    finding = examine_convolution(drops_columns)
    assert finding.level == "warning" and "computes 3-D convolutions wrongly" in finding.message
    assert "float32" in finding.remedy


def test_a_right_convolution_is_well() -> None:
    # In float32 throughout, so that the test depends on no processor's bfloat16.
    exact = examine_convolution(lambda pixels, weights, **more: F.conv3d(pixels.float(), weights.float(), **more))
    assert exact.level == "ok" and "are right" in exact.message


def test_decoders_decode_a_clip() -> None:
    findings = list(examine_decoders())
    assert [finding.subject for finding in findings] == ["video decoder pyav", "video decoder decord"]
    assert {finding.level for finding in findings} == {"ok"}


def test_a_clip_that_nothing_decodes_is_a_problem(monkeypatch) -> None:
    monkeypatch.setattr(machine, "write_moving_square", lambda path: path.write_bytes(b"no video"))
    findings = list(examine_decoders())
    assert {finding.level for finding in findings} == {"problem"}
    assert all("cannot decode a clip" in finding.message and finding.remedy for finding in findings)


def test_frames_in_the_wrong_order_are_noticed(monkeypatch) -> None:
    def write_mirrored(path: Path) -> None:
        import av
        import numpy as np

        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=8)
            stream.width = stream.height = 64
            stream.pix_fmt = "yuv420p"
            for index in range(8):
                picture = np.zeros((64, 64, 3), np.uint8)
                picture[16:32, 40 - 4 * index : 60 - 4 * index] = 255
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())

    monkeypatch.setattr(machine, "write_moving_square", write_mirrored)
    assert {finding.message for finding in examine_decoders()} == {"decodes a clip to wrong frames"}


def test_disks_are_named_once_and_by_what_is_free(monkeypatch, tmp_path: Path) -> None:
    free = {"ok": 100 << 30, "warning": 2 << 30, "problem": 100 << 20}
    for level, size in free.items():
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda path, size=size: type("Usage", (), {"free": size}))
        (finding,) = examine_disks([tmp_path, tmp_path / "not" / "there"])
        assert finding.level == level and "GiB free" in finding.message and bool(finding.remedy) == (level != "ok")


def test_an_accelerator_or_none_is_named() -> None:
    finding = examine_accelerator()
    assert finding.level == ("ok" if torch.cuda.is_available() or torch.backends.mps.is_available() else "warning")
