"""Packets of a video stream in one continuous time, whatever jumps the clocks of recordings make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias, cast

import av

VideoPacket: TypeAlias = "av.Packet[av.VideoStream]"

# AVFMT_TS_DISCONT of FFmpeg: time may jump in these formats, as where transport streams were joined.
JUMPY_FORMAT = 0x0200
# As FFmpeg's own program joins them: back by a little, or on by much, is another clock (ffmpeg_demux.c).
BACK_SEC, ON_SEC = 0.1, 10.0


def steady_packets(
    container: av.container.InputContainer, streams: list[av.VideoStream]
) -> Iterator[tuple[VideoPacket, av.VideoStream]]:
    """Packets with their streams, from the container's start; the last of each stream is empty and flushes its decoder.

    Where time jumps in a format that allows it, the packets after the jump follow those before. Raises FFmpegError.
    """
    jumpy = bool(int(container.format.flags) & JUMPY_FORMAT)
    clocks = {stream.index: _Clock() for stream in streams}
    for read in container.demux(*streams):
        packet = cast("VideoPacket", read)  # of the streams that were asked for
        if jumpy and packet.size:
            clocks[packet.stream_index].carry_on(packet)
        yield packet, packet.stream


def video_stream(container: av.container.InputContainer, place: int) -> av.VideoStream:
    """The stream at `place` of the file. Raises ValueError when it holds no pictures."""
    stream = container.streams[place]
    if not isinstance(stream, av.VideoStream):
        raise ValueError(f"expected pictures in stream {place}, received {stream.type}: the file changed")
    return stream


class _Clock:
    """Of one stream: what to add to its stamps, and which comes next."""

    def __init__(self) -> None:
        self._offset = 0
        self._due: int | None = None
        self._last: int | None = None

    def carry_on(self, packet: VideoPacket) -> None:
        """Changes the stamps of `packet`."""
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is None:
            return
        tick_sec = float(packet.time_base)
        if self._due is not None and self._last is not None:
            jump = (stamp + self._offset - self._due) * tick_sec
            back = (stamp + self._offset - self._last) * tick_sec
            if back < -BACK_SEC or jump > ON_SEC:
                self._offset = self._due - stamp
        here = stamp + self._offset
        step = packet.duration or (here - self._last if self._last is not None and here > self._last else 0)
        self._due, self._last = here + step, here
        if self._offset:
            packet.pts = None if packet.pts is None else packet.pts + self._offset
            packet.dts = None if packet.dts is None else packet.dts + self._offset
