"""What is known of a video before it is decoded: which way up it is, and what it may not do or open."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from index_builder.clips.decode import decode_clip
from index_builder.clips.timeline import DecodeLimits, read_timeline
from index_builder.clips.video_bytes import ContentHash
from index_builder.errors import ClipUnreadable
from tests.index_builder.ffmpeg_videos import H264, make, needs_ffmpeg
from tests.index_builder.sample_videos import picture, rotate, write_video

ONE = 1 << 16
# (a, b, c, d) of a display matrix, and what it does to a picture: the eight turns and mirrors.
MATRICES = {
    "upright": ((ONE, 0, 0, ONE), lambda p: p),
    "90": ((0, ONE, -ONE, 0), lambda p: np.rot90(p, -1)),
    "180": ((-ONE, 0, 0, -ONE), lambda p: np.rot90(p, 2)),
    "270": ((0, -ONE, ONE, 0), lambda p: np.rot90(p, 1)),
    "mirrored": ((-ONE, 0, 0, ONE), lambda p: p[:, ::-1]),
    "upside down": ((ONE, 0, 0, -ONE), lambda p: p[::-1]),
    "transposed": ((0, ONE, ONE, 0), lambda p: p.transpose(1, 0, 2)),
    "anti-transposed": ((0, -ONE, -ONE, 0), lambda p: np.rot90(p, 2).transpose(1, 0, 2)),
}


@pytest.mark.parametrize("size", [(64, 48), (64, 64)], ids=str)
@pytest.mark.parametrize("name", MATRICES)
def test_every_turn_and_mirror_is_applied(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    (a, b, c, d), shown = MATRICES[name]
    path = write_video(tmp_path / "v.mp4", size=size, frames=4)
    content = bytearray(path.read_bytes())
    start = content.index(b"tkhd") + 44
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    expected = shown(picture(0, size=size, seed=0))
    clip = decode_clip(path, short_side=min(size))
    assert (clip.width, clip.height) == expected.shape[1::-1]
    assert np.abs(clip.frames[0].astype(int) - expected).mean() < 6


@pytest.mark.parametrize("size", [(64, 48), (64, 64)], ids=str)
@pytest.mark.parametrize("degrees", [90, 180])
def test_matroska_turns_pictures_too(tmp_path: Path, degrees: int, size: tuple[int, int]) -> None:
    """By ProjectionPoseRoll, as mkvtoolnix writes it; squares do not show by their size that they lie."""
    turned, path = rotate(write_video(tmp_path / "v.mp4", size=size, frames=4), degrees), tmp_path / "v.mkv"
    with av.open(str(turned)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    expected = np.rot90(picture(0, size=size, seed=0), k=-degrees // 90)
    clip = decode_clip(path, short_side=min(size))
    assert np.abs(clip.frames[0].astype(int) - expected).mean() < 6 and clip.rotation == 360 - degrees


@needs_ffmpeg
def test_encrypted_films_are_called_so(tmp_path: Path) -> None:
    key = "-encryption_scheme cenc-aes-ctr -encryption_key 76a6c65c5ea762046bd749a2e632ccbb"
    film = make(tmp_path / "film.mp4", f"{H264} {key} -encryption_kid a7e61c373e219033c21091fa607bf3b8")
    with pytest.raises(ClipUnreadable, match=r"encrypted \(DRM\): bring a copy"):
        decode_clip(film)


def test_scrambled_broadcasts_are_called_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.ts", frames=60, size=(320, 240))
    assert decode_clip(path).decoder == "pyav"
    content = bytearray(path.read_bytes())
    # Tables stay readable; of what they list, every packet says that it is scrambled.
    for start in range(0, len(content), 188):
        program = (content[start + 1] & 0x1F) << 8 | content[start + 2]
        if program >= 0x100:
            content[start + 3] |= 0xC0
    path.write_bytes(content)
    with pytest.raises(ClipUnreadable, match=r"encrypted \(DRM\)"):
        decode_clip(path)


@pytest.mark.parametrize(
    "playlist",
    [
        "ffconcat version 1.0\nfile secret.mp4\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nsecret.mp4\n#EXT-X-ENDLIST\n",
    ],
    ids=["concat", "hls"],
)
def test_a_playlist_opens_no_other_file(tmp_path: Path, playlist: str) -> None:
    write_video(tmp_path / "secret.mp4")
    (tmp_path / "list.mp4").write_text(playlist)
    with pytest.raises(ClipUnreadable, match="not a readable video"):
        decode_clip(tmp_path / "list.mp4")


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.ts", "v.avi"])
def test_the_hash_is_that_of_the_whole_file_however_it_is_read(tmp_path: Path, name: str) -> None:
    from hashlib import sha256

    path = write_video(tmp_path / name, frames=90, size=(320, 240))
    content = ContentHash()
    read_timeline(path, limits=DecodeLimits(), content=content)
    heard = []
    assert content.finish(path, lambda: heard.append(1)) == sha256(path.read_bytes()).hexdigest()
    nothing_read = ContentHash()
    assert nothing_read.finish(path, lambda: None) == sha256(path.read_bytes()).hexdigest()
