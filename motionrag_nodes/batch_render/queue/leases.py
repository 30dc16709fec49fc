"""Which process drives which server: one lease a server, kept alive by its holder and free again when that is gone."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from motionrag_nodes.batch_render.errors import ServerTaken
from motionrag_nodes.batch_render.server.access import Access
from motionrag_nodes.batch_render.server.facts import ServerFacts

LEASE_SEC = 20.0
_BEAT_SEC = 4.0
_metadata = sa.MetaData()
_leases = sa.Table(
    "motionrag_servers",
    _metadata,
    sa.Column("key", sa.String, primary_key=True),
    sa.Column("url", sa.String, nullable=False),
    sa.Column("holder", sa.String, nullable=False),
    sa.Column("weight", sa.Float, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),  # when it was renewed, by the database's own clock
    sa.Column("facts", sa.LargeBinary, nullable=False),
)
_NOW = sa.func.extract("epoch", sa.func.clock_timestamp())


@dataclass(frozen=True)
class Lease:
    """A server that a living process drives."""

    key: str
    url: str
    holder: str
    weight: float


class Leases:
    """The leases in a shared database. Clocks of machines may differ: only the database's counts."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        _metadata.create_all(engine)

    def take(self, key: str, url: str, weight: float, *, holder: str, facts: ServerFacts) -> None:
        """Raises ServerTaken: another living process drives the server."""
        row = {"url": url, "holder": holder, "weight": weight, "seconds": _NOW, "facts": _packed(facts)}
        free = sa.or_(_leases.c.holder == holder, _leases.c.seconds < _NOW - LEASE_SEC)
        with self.engine.begin() as connection:
            if connection.execute(_leases.update().where(_leases.c.key == key, free).values(row)).rowcount:
                return
            insert = postgresql.insert(_leases).values(key=key, **row).on_conflict_do_nothing()
            if connection.execute(insert.returning(_leases.c.key)).first() is not None:
                return
        raise ServerTaken(
            f"Expected {url} for this renderer alone, but another renderer or worker that is alive drives it. Leave it "
            f"to that one, or stop it and wait {LEASE_SEC:.0f} s."
        )

    def renew(self, keys: list[str], holder: str) -> bool:
        """Whether all leases were still ours."""
        mine = sa.and_(_leases.c.key.in_(keys), _leases.c.holder == holder)
        with self.engine.begin() as connection:
            return connection.execute(_leases.update().where(mine).values(seconds=_NOW)).rowcount == len(keys)

    def release(self, keys: list[str], holder: str) -> None:
        """Gives back those of the servers that are the holder's."""
        with self.engine.begin() as connection:
            connection.execute(_leases.delete().where(_leases.c.key.in_(keys), _leases.c.holder == holder))

    def living(self) -> dict[str, Lease]:
        """Every lease that is not over, by key."""
        columns = (_leases.c.key, _leases.c.url, _leases.c.holder, _leases.c.weight)
        with self.engine.begin() as connection:
            rows = connection.execute(sa.select(*columns).where(_leases.c.seconds >= _NOW - LEASE_SEC)).all()
        return {row.key: Lease(*row) for row in rows}

    def facts(self, key: str) -> ServerFacts:
        """What a server offers, as its holder told."""
        with self.engine.begin() as connection:
            row = connection.execute(sa.select(_leases.c.url, _leases.c.facts).where(_leases.c.key == key)).one()
        data = json.loads(zlib.decompress(row.facts))
        return ServerFacts(Access(row.url), data["version"], data["object_info"], data["generations"], reachable=False)


@contextmanager
def kept(leases: Leases, keys: list[str], holder: str) -> Iterator[threading.Event]:
    """Renews leases in the background; the event is set when one was lost, for instance to a machine that slept."""
    lost, stop = threading.Event(), threading.Event()

    def beat() -> None:
        last = time.monotonic()
        while not stop.wait(_BEAT_SEC):
            try:
                mine = leases.renew(keys, holder)
                last = time.monotonic()
            except sa.exc.SQLAlchemyError:
                mine = time.monotonic() - last < LEASE_SEC  # the database may be back before the lease is over
            if not mine:
                lost.set()

    thread = threading.Thread(target=beat, name="leases", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        stop.set()
        thread.join(10)
        try:
            leases.release(keys, holder)
        except sa.exc.SQLAlchemyError:
            lost.set()  # it ends by itself


def _packed(facts: ServerFacts) -> bytes:
    data = {"version": facts.version, "object_info": facts.object_info, "generations": facts.generations}
    return zlib.compress(json.dumps(data).encode())
