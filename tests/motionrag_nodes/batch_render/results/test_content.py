"""What files are by their content, with files that real libraries write."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from motionrag_nodes.batch_render.errors import JobFailed
from motionrag_nodes.batch_render.results.content import check_content, local_suffix


def _picture(path: Path, form: str) -> Path:
    pixels = np.random.default_rng(1).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, format=form)
    return path


def _video(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(8):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("form", ["png", "jpeg", "gif", "webp", "tiff"])
def test_pictures_are_known_by_content(tmp_path: Path, form: str) -> None:
    content = check_content(_picture(tmp_path / "x", form), name="x.bin")
    assert local_suffix("x.bin", content) == {"jpeg": ".jpg", "tiff": ".tif"}.get(form, f".{form}")


@pytest.mark.parametrize("form", ["png", "gif", "webp"])
@pytest.mark.parametrize("share", [0.3, 0.97])
def test_a_cut_picture_is_no_result(tmp_path: Path, form: str, share: float) -> None:
    path = _picture(tmp_path / "x", form)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(JobFailed, match=f"Expected a whole {form} file as x.{form}"):
        check_content(path, name=f"x.{form}")


def test_a_video_and_a_cut_one(tmp_path: Path) -> None:
    path = _video(tmp_path / "x.mp4")
    assert check_content(path, name="x.mp4").suffix == ".mp4"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(JobFailed, match="whole mp4"):
        check_content(path, name="x.mp4")


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"", "x.png", "a file with content as x.png"),
        (b"<html>login</html>", "x.png", "Expected x.png from the server, received a web page"),
        (b"\n <!DOCTYPE HTML><html>", "x.safetensors", "received a web page"),
        (
            b'{"error": "not found"}',
            "x.mp4",
            r'Expected x.mp4 from the server, received a message \({"error": "not found"}\)',
        ),
    ],
)
def test_what_is_no_result(tmp_path: Path, data: bytes, name: str, message: str) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(JobFailed, match=message):
        check_content(tmp_path / "x", name=name)


@pytest.mark.parametrize("name", ["page.html", "notes.txt", "drawing.svg"])
def test_pages_may_be_results(tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_bytes(b"<html></html>")
    assert local_suffix(name, check_content(tmp_path / "x", name=name)) == Path(name).suffix


@pytest.mark.parametrize(
    ("name", "form", "suffix"),
    [
        ("a.png", "png", ".png"),
        ("a.PNG", "png", ".PNG"),
        ("a.jpeg", "jpeg", ".jpeg"),
        ("x.json", "png", ".png"),
        ("../../evil", "png", ".png"),
        ("a." + "s" * 400, "png", ".png"),
    ],
)
def test_suffixes_follow_the_content(tmp_path: Path, name: str, form: str, suffix: str) -> None:
    assert local_suffix(name, check_content(_picture(tmp_path / "x", form), name=name)) == suffix


def test_an_odd_suffix_of_unknown_content_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"something")
    assert local_suffix("x.a/b", check_content(tmp_path / "x", name="x.a/b")) == ""
    assert local_suffix("x.latent", check_content(tmp_path / "x", name="x.latent")) == ".latent"
