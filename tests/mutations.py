"""Mutations of what strangers hand over: JSON values replaced, removed, repeated, nested; bytes changed or cut."""

from __future__ import annotations

import json
import random
import resource
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ODD_VALUES = [
    None, True, -1, 0, 1, 1 << 40, 10**30, 1.5, float("nan"), float("inf"), "", "x", "../x", "/etc/passwd", "\x00",
    "\x1b[2J", "é" * 300, "\ud800", [], {}, [[]], [1], {"x": 1}, [None], {"": {}}, "0", "1e400", "x" * 20_000,
]  # fmt: skip


def places_of(value: Any, place: tuple = ()) -> Iterator[tuple]:
    """The place of every value inside a JSON value."""
    yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in items:
        yield from places_of(entry, (*place, key))


def mutated(value: Any, generator: random.Random, odd_values: Sequence[Any] = ODD_VALUES) -> Any:
    """A copy of a JSON value with one to four changes, some of them one of `odd_values` in a value's place."""
    value = json.loads(json.dumps(value))
    for _ in range(generator.randint(1, 4)):
        places = [place for place in places_of(value) if place]
        if not places or generator.random() < 0.02:
            return generator.choice(odd_values)
        *parents, last = generator.choice(places)
        holder = value
        for key in parents:
            holder = holder[key]
        kind = generator.random()
        if kind < 0.6:
            holder[last] = generator.choice(odd_values)
        elif kind < 0.7:
            holder[last] = {"deep": [holder[last]]}
        elif kind < 0.85 or not isinstance(holder, list):
            del holder[last]
        else:
            holder.append(holder[last])
    return value


def as_json(value: Any, generator: random.Random) -> bytes:
    """JSON text of a mutated value; now and then nested without end, or with changed bytes."""
    kind = generator.random()
    if kind < 0.03:
        return generator.choice([b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5000, b"\xff\xfe", b"", b"nul"])
    content = json.dumps(mutated(value, generator)).encode("utf-8", "surrogatepass")
    return mutated_bytes(content, generator) if kind < 0.25 else content


def mutated_bytes(content: bytes, generator: random.Random) -> bytes:
    """Some bytes changed, or a part cut out or written twice."""
    spoiled = bytearray(content)
    for _ in range(generator.randint(1, 5)):
        if not spoiled:
            break
        start = generator.randrange(len(spoiled))
        kind = generator.random()
        if kind < 0.6:
            spoiled[start] = generator.randrange(256)
        elif kind < 0.8:
            del spoiled[start : start + generator.randint(1, 40)]
        else:
            spoiled[start:start] = spoiled[start : start + generator.randint(1, 400)]
    return bytes(spoiled)


@contextmanager
def not_for_ever(seconds: int) -> Iterator[None]:
    """Ends what hangs with TimeoutError; far above what it takes, so that no test depends on a machine's speed."""

    def end(*_: object) -> None:
        raise TimeoutError(f"it hung for {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def limited(*, seconds: int = 60, memory_mib: int = 1024) -> Iterator[None]:
    """As `not_for_ever`; and whatever asks for more memory than that, beyond what the process has, gets MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (memory_mib << 20), before[1]))
    try:
        with not_for_ever(seconds):
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
