"""The Ray engine: shard workers as actors on an existing or a local Ray cluster; this process only plans and commits.

An actor that dies, alone or with its node, is replaced where the cluster has room.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from index_builder.clips.find import VideoFile
from index_builder.database.commit.segment_files import SegmentTicket
from index_builder.engines.engine import EngineWork, Event, Plan
from index_builder.engines.shard_run import MAX_DEATHS, Shard, ShardRun
from index_builder.engines.shards import InspectShard, MakeEncoder, ShardWorker
from index_builder.errors import EngineUnavailable, InvalidSetting
from index_builder.plain_text import plain_logger

logger = plain_logger(__name__)
# Short, so that the build can look after other things.
WAITING_SEC = 1.0
PATIENCE_SEC = 30.0
CONNECT_SEC = 10.0


@dataclass(frozen=True, kw_only=True)
class RaySettings:
    """address: of a cluster ("auto" for the one this machine belongs to), None for one of this machine's own.

    Each of `actors` (None: as many as there is room for) reserves `cpus` processors, which is also the number of its
    decode processes, and `gpus`, of which a fraction lets actors share one.
    """

    address: str | None = None
    actors: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        if self.cpus <= 0 or self.gpus < 0 or (self.actors is not None and self.actors < 1):
            raise InvalidSetting(
                f"Expected at least 1 actor, more than 0 CPUs and no less than 0 GPUs for each, received "
                f"{self.actors}, {self.cpus} and {self.gpus}: correct them."
            )


class RayEngine:
    """Implements Engine. `make_encoder` is called in every actor, so whatever it loads must be on every node."""

    def __init__(self, make_encoder: MakeEncoder, settings: RaySettings | None = None) -> None:
        """Connects to the cluster, unless this process is connected already. Raises EngineUnavailable."""
        self.make_encoder, self.settings = make_encoder, settings or RaySettings()
        self._connected_here = not ray.is_initialized()
        if self._connected_here:
            _connect(self.settings.address)

    def close(self) -> None:
        """Disconnects, if it was this engine that connected."""
        if self._connected_here and ray.is_initialized():
            ray.shutdown()

    def clips(self, videos: Sequence[VideoFile], plan: Plan, work: EngineWork) -> Generator[Event | None, None, None]:
        """Segments and failures in the order in which they come. Raises EngineUnavailable when no actor can start."""
        if not videos:
            return
        crew = ActorCrew(self.make_encoder, self.settings, work)
        try:
            yield from ShardRun(crew, videos, plan, work).events()
        finally:
            crew.dismiss()


def _connect(address: str | None) -> None:
    # Nothing is reported to anyone unasked.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    options = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            ray.init(address="local", include_dashboard=False, **options)
        else:
            _knock(address)
            ray.init(address=address, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise EngineUnavailable(
            f"Expected a Ray cluster at {address or 'this machine'}, but connecting failed ({error}): start one with "
            "`ray start --head`, or leave --ray-address out to use this machine alone."
        ) from error


def _knock(address: str) -> None:
    """Ray itself would try a host that does not answer for minutes. Raises OSError, ValueError."""
    host, colon, port = address.rpartition(":")
    if colon:
        socket.create_connection((host.removeprefix("ray://"), int(port)), timeout=CONNECT_SEC).close()


class ActorCrew:
    """Implements Crew with Ray actors: those at work, those free, and those still starting."""

    def __init__(self, make_encoder: MakeEncoder, settings: RaySettings, work: EngineWork) -> None:
        self.work, self.settings, self.make_encoder = work, settings, make_encoder
        self.size = settings.actors or _room(settings)
        self._actors: set[Any] = set()
        self._free: list[Any] = []
        # Who answers each reference, and what for: a shard and the ticket for its segment, or None for a start.
        self._outstanding: dict[Any, tuple[Any, Shard | None, SegmentTicket | None]] = {}
        self._lost_starts = 0
        self._waited_sec = 0.0
        for _ in range(self.size):
            self._start()

    @property
    def busy(self) -> bool:
        """Whether any shard is with an actor."""
        return any(shard is not None for _, shard, _ in self._outstanding.values())

    def _start(self) -> None:
        cpus, gpus = self.settings.cpus, self.settings.gpus
        actor_class = ray.remote(ShardWorker).options(num_cpus=cpus, num_gpus=gpus, max_restarts=0)
        actor = actor_class.remote(
            self.make_encoder,
            database=self.work.database.absolute(),
            processes=max(1, int(cpus)),
            limits=self.work.limits,
            batch_clips=self.work.batch_clips,
            scene_threshold=self.work.scene_threshold,
        )
        self._actors.add(actor)
        self._outstanding[actor.start.remote()] = actor, None, None

    def assign(self, shards: deque[Shard]) -> None:
        """Takes shards from the left while actors are free."""
        while self._free and shards:
            actor, shard = self._free.pop(), shards.popleft()
            if isinstance(shard, InspectShard):
                self._outstanding[actor.inspect.remote(shard)] = actor, shard, None
            else:
                ticket = self.work.new_ticket()
                self._outstanding[actor.index.remote(shard, ticket)] = actor, shard, ticket

    def next_result(self) -> tuple[Shard, Any] | None:
        """A shard that ended, with None in place of a result when its actor died; None when an actor became free.

        Raises what the worker raised, and EngineUnavailable when actors keep dying before they are ready.
        """
        done, _ = ray.wait(list(self._outstanding), num_returns=1, timeout=WAITING_SEC)
        if not done:
            self._waited_sec += WAITING_SEC
            if self._waited_sec >= PATIENCE_SEC and not self.busy and not self._free:
                logger.warning("waiting for the cluster to make room for actors")
                self._waited_sec = 0.0
            return None
        self._waited_sec = 0.0
        actor, shard, ticket = self._outstanding.pop(done[0])
        try:
            result = ray.get(done[0])
        except RayTaskError as error:
            raise error.cause from error
        except RayError as error:
            self._bury(actor, shard, ticket, error)
            return None if shard is None else (shard, None)
        self._free.append(actor)
        self._lost_starts = 0
        return None if shard is None else (shard, result)

    def _bury(self, actor: Any, shard: Shard | None, ticket: SegmentTicket | None, error: RayError) -> None:
        logger.warning("an actor died (%s); another one takes over", type(error).__name__)
        self._actors.discard(actor)
        # It may be alive, cut off from this process: it must not go on writing.
        ray.kill(actor)
        if ticket is not None:
            ticket.discard()
        self._lost_starts += shard is None
        if self._lost_starts >= MAX_DEATHS * self.size:
            raise EngineUnavailable(
                f"Expected actors that start, but {self._lost_starts} died before they were ready ({error}): see "
                "Ray's logs; perhaps an actor needs more memory than its node has."
            ) from error
        self._start()

    def dismiss(self) -> None:
        """Ends all actors."""
        for actor in self._actors:
            ray.kill(actor)


def _room(settings: RaySettings) -> int:
    """How many actors the cluster has room for. Raises EngineUnavailable when there is none for one."""
    total = ray.cluster_resources()
    room = int(total.get("CPU", 0) / settings.cpus)
    if settings.gpus:
        room = min(room, int(total.get("GPU", 0) / settings.gpus))
    if room < 1:
        raise EngineUnavailable(
            f"Expected room for an actor of {settings.cpus:g} CPUs and {settings.gpus:g} GPUs, found "
            f"{total.get('CPU', 0):g} and {total.get('GPU', 0):g} in the cluster: ask for less (--ray-cpus, "
            "--ray-gpus) or add nodes."
        )
    return room
