"""Captioners: a real small model of transformers, and a real server on this machine."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from index_builder.captioning import endpoint
from index_builder.captioning.captioner import PROMPT, caption_in, frames_of
from index_builder.captioning.endpoint import EndpointCaptioner
from index_builder.captioning.local_model import load_local_captioner
from index_builder.clips.clip_reader import ClipReader
from index_builder.errors import CaptionerFailed, CaptionerUnavailable, ClipUnreadable, ModelFilesRefused
from tests.index_builder.captioning.local_server import serving
from tests.index_builder.captioning.tiny_model import write_tiny_model
from tests.index_builder.sample_videos import write_video


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny-vl")


@pytest.fixture(scope="module")
def reader():
    with ClipReader() as opened:
        yield opened


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory, reader: ClipReader):
    video = write_video(tmp_path_factory.mktemp("frames") / "a.mp4", frames=45, fps=15)
    return frames_of(video, reader=reader, short_side=64, max_seconds=60)


def test_three_frames_a_second_of_the_whole_clip(tmp_path: Path, frames, reader: ClipReader) -> None:
    assert [frame.seconds for frame in frames] == pytest.approx([place / 3 for place in range(9)])
    assert frames[0].picture.size[1] == 64 and frames[0].picture.tobytes() != frames[-1].picture.tobytes()
    short = write_video(tmp_path / "b.mp4", frames=5)
    assert len(frames_of(short, reader=reader, short_side=64, max_seconds=60)) == 4
    with pytest.raises(ClipUnreadable, match=r"lasts 3\.0 s, over the limit of 2 s"):
        frames_of(write_video(tmp_path / "a.mp4", frames=45), reader=reader, short_side=64, max_seconds=2)


def test_a_local_model_reads_all_frames_and_says_the_same_each_time(model_folder: Path, frames) -> None:
    captioner = load_local_captioner(str(model_folder), max_tokens=12)
    said = captioner.describe(frames, PROMPT)
    assert said and captioner.describe(frames, PROMPT) == said and captioner.name == "tiny-vl"
    dark = [type(frame)(frame.seconds, Image.new("RGB", frame.picture.size)) for frame in frames]
    assert captioner.describe(dark, PROMPT) != said


def test_what_is_no_model_on_this_machine(tmp_path: Path, model_folder: Path) -> None:
    with pytest.raises(CaptionerUnavailable, match=r"found it in neither: fetch it once with `hf download no/where`"):
        load_local_captioner("no/where")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaptionerUnavailable, match="Expected a vision-language model of transformers"):
        load_local_captioner(str(tmp_path / "empty"))
    (tmp_path / "planted").mkdir()
    (tmp_path / "planted" / "modeling.py").write_text("raise SystemExit")
    with pytest.raises(ModelFilesRefused):
        load_local_captioner(str(tmp_path / "planted"))


def test_a_server_gets_frames_with_their_times_and_the_prompt(frames, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with serving("a square moves right") as server:
        said = EndpointCaptioner(server.endpoint, model="vl").describe(frames, "what moves?")
    assert said == "a square moves right"
    path, request = server.asked[0]
    assert path == "/v1/chat/completions" and request["model"] == "vl" and request["temperature"] == 0
    parts = request["messages"][0]["content"]
    assert [part["text"] for part in parts if part["type"] == "text"][:2] == ["0.0 s:", "0.3 s:"]
    assert parts[-1] == {"type": "text", "text": "what moves?"}
    pictures = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    opened = Image.open(io.BytesIO(base64.b64decode(pictures[0].removeprefix("data:image/jpeg;base64,"))))
    assert len(pictures) == 9 and opened.size == frames[0].picture.size
    assert server.headers[0]["Authorization"] == "Bearer secret"


def test_a_busy_server_is_asked_again(frames, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "FIRST_WAIT_SEC", 0.01)
    with serving((503, "loading"), (429, "slow down"), "it rolls") as server:
        assert EndpointCaptioner(server.endpoint, model="vl").describe(frames, "?") == "it rolls"
        assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ((400, "too many images"), CaptionerFailed, r"HTTP 400: too many images"),
        ((500, "out of memory"), CaptionerFailed, r"HTTP 500: out of memory"),
        ((404, "no such model"), CaptionerUnavailable, r"the model vl at .*received HTTP 404 \(no such model\)"),
        ((200, "<html>"), CaptionerFailed, "no chat completion"),
        ((200, '{"choices": [{"message": {"content": null}}]}'), CaptionerFailed, "answered without words"),
    ],
)
def test_what_servers_refuse(frames, monkeypatch: pytest.MonkeyPatch, answer, error, message: str) -> None:
    monkeypatch.setattr(endpoint, "FIRST_WAIT_SEC", 0.01)
    with serving(answer) as server, pytest.raises(error, match=message):
        EndpointCaptioner(server.endpoint, model="vl").describe(frames, "?")


def test_no_server(frames, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "FIRST_WAIT_SEC", 0.01)
    with pytest.raises(
        CaptionerUnavailable, match=r"a server at http://127\.0\.0\.1:9/v1/\S+, but it cannot be reached"
    ):
        EndpointCaptioner("http://127.0.0.1:9/v1", model="vl").describe(frames, "?")
    with pytest.raises(CaptionerUnavailable, match="begins with http"):
        EndpointCaptioner("localhost:11434", model="vl")


@pytest.mark.parametrize(
    ("words", "caption"),
    [
        ('<think>hm,\nwell</think>\n\n"A ball rolls\nright."', "A ball rolls right."),
        ("**A ball rolls.**", "A ball rolls."),
        (" \n ", ""),
        ("None", ""),
    ],
)
def test_an_answer_as_a_caption(words: str, caption: str) -> None:
    assert caption_in(words) == caption
