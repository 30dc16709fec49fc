"""The sound of a span: at its place, silent where there is none, refused where the file has none."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from index_builder.clips.clip_reader import ClipReader
from index_builder.clips.sound import Sound, read_sound
from index_builder.clips.windows import ClipWindow
from index_builder.errors import ClipUnreadable, InvalidSetting
from tests.index_builder.sample_videos import write_sounding_video, write_video

RATE = 16000


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds, of which the second one is loud."""
    return write_sounding_video(tmp_path_factory.mktemp("sound") / "beep.mp4", seconds=3, loud=(1.0, 2.0), rate=RATE)


def _loudness(sound: Sound) -> list[float]:
    """Of each tenth of a second."""
    return [float(np.abs(part).max()) for part in np.array_split(sound.samples[0], sound.samples.shape[1] // 1600)]


def test_it_lies_where_the_pictures_are(video: Path) -> None:
    sound = read_sound(video, start_sec=0.5, end_sec=1.5)
    assert sound.samples.shape == (1, RATE) and sound.rate == RATE
    loud = _loudness(sound)
    assert max(loud[:4]) < 0.05 and min(loud[6:]) > 0.2


def test_a_long_seek_lands_at_the_same_place(video: Path) -> None:
    whole, late = read_sound(video, start_sec=0, end_sec=3), read_sound(video, start_sec=1.75, end_sec=2.25)
    piece = whole.samples[:, round(1.75 * RATE) : round(2.25 * RATE)]
    assert np.abs(piece - late.samples).max() < 0.02


def test_behind_the_end_it_is_silent(video: Path) -> None:
    assert not read_sound(video, start_sec=2.5, end_sec=5.0).samples[:, RATE:].any()


def test_it_is_cut_or_followed_by_silence(video: Path) -> None:
    sound = read_sound(video, start_sec=1.2, end_sec=1.8)
    assert sound.lasting(0.1).samples.shape[1] == 1600
    longer = sound.lasting(1.0).samples
    assert longer.shape[1] == RATE and not longer[:, 9700:].any() and longer[:, :9500].any()


def test_two_channels_stay_two(tmp_path: Path) -> None:
    path = tmp_path / "stereo.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="stereo")
        tone = np.stack([np.full(RATE, 0.5), np.full(RATE, -0.25)]).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="stereo")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    sound = read_sound(path, start_sec=0.2, end_sec=0.4)
    np.testing.assert_allclose(sound.samples.mean(1), [0.5, -0.25], atol=1e-3)


def test_a_worker_answers_the_same(video: Path, tmp_path: Path) -> None:
    silent = write_video(tmp_path / "silent.mp4")
    with ClipReader() as reader:
        sound = reader.sound(reader.inspect(video), ClipWindow(500, 1500))
        with pytest.raises(ClipUnreadable, match="it has no sound"):
            reader.sound(reader.inspect(silent), ClipWindow(0, 1000))
    assert np.array_equal(sound.samples, read_sound(video, start_sec=0.5, end_sec=1.5).samples)


def test_what_is_no_sound_or_no_span_is_refused(video: Path) -> None:
    with pytest.raises(InvalidSetting, match=r"Expected sound \[C, N\] of 1 or 2 channels"):
        Sound(np.zeros((6, 10), np.float32), RATE)
    with pytest.raises(InvalidSetting, match="Expected a span to hear"):
        read_sound(video, start_sec=1, end_sec=1)
