"""Packs, databases and base models: what is found where, whether it loads, and what fits what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from index_builder.errors import MotionRAGError
from index_builder.features.sentence_encoder import DEFAULT_MODEL_PACKAGE, carried_by_package
from motionrag_nodes.backbones.diffusers_models import fetch_command
from motionrag_nodes.checkpoints.demo_pack import KNOWS, is_demo
from motionrag_nodes.checkpoints.find_models import PACKAGED_DATABASES, find_base_models, find_databases, find_packs
from motionrag_nodes.checkpoints.fingerprints import require_base, require_encoder
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.checkpoints.world_file import told_of_clips
from motionrag_nodes.doctor.findings import Finding, ok, problem, warning
from motionrag_nodes.doctor.published_files import examine_hub_cache, known_sources, what_is_wrong
from motionrag_nodes.doctor.surroundings import Surroundings

if TYPE_CHECKING:
    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.checkpoints.pack import MotionPack

FOLDERS, PACKS, DATABASES, BASE_MODELS = "folders searched", "packs", "databases", "base models"
_COPY_AGAIN = "copy the pack again"


def examine_models(surroundings: Surroundings) -> Iterator[Finding]:
    """Folders, then packs with their encoders and base models, then databases, then base models."""
    yield from _examined_folders(surroundings)
    loaded: dict[str, MotionPack] = {}
    for name, folder in find_packs(surroundings.packs).items():
        yield from _examined_pack(name, folder, loaded)
    databases = find_databases(surroundings.databases)
    for name, folder in databases.items():
        yield from _examined_database(name, folder, loaded)
    if all(folder.parent == PACKAGED_DATABASES for folder in databases.values()):
        target = surroundings.databases[0] if surroundings.databases else Path("models/motion_databases")
        build = f"motionrag index build CLIPS_FOLDER --output {target / 'NAME'}, or the node Index Folder"
        yield ok(DATABASES, "databases", f"none of your own yet, only the packaged ones; make one: {build}")
    for name, folder in find_base_models(surroundings.base_models).items():
        yield ok(BASE_MODELS, name, str(folder))
    yield from examine_hub_cache()


def _examined_folders(surroundings: Surroundings) -> Iterator[Finding]:
    for kind, folders in (
        ("packs", surroundings.packs),
        ("databases", surroundings.databases),
        ("base models", surroundings.base_models),
    ):
        for folder in folders:
            yield ok(FOLDERS, kind, str(folder) if folder.is_dir() else f"{folder} (not there yet)")


def _examined_pack(name: str, folder: Path, loaded: dict[str, MotionPack]) -> Iterator[Finding]:
    try:
        pack = load_pack(folder)
    except MotionRAGError as error:
        yield problem(PACKS, name, str(error), _COPY_AGAIN)
        return
    loaded[name] = pack
    config = pack.config
    demo = f"; {KNOWS}" if is_demo(pack) else ""
    yield ok(PACKS, name, f"loads; for {config.backbone}, tokens {pack.tokens_fingerprint}, in {folder}{demo}")
    for role, spec in config.encoders.items():
        subject = f"{name}: {role} encoder"
        if role == "captions" and carried_by_package(spec) is not None:
            yield ok(PACKS, subject, f"{spec.source} comes with the package {DEFAULT_MODEL_PACKAGE}")
        else:
            yield _examined_part(
                subject, pack, spec.source, spec.revision, partial(require_encoder, config, folder, role)
            )
    base = f"{name}: base model"
    if (folder / config.base).is_dir() and config.base_fingerprint is None:
        remedy = "a pack that is written again gets one (motionrag convert, or the pack stage of training)"
        yield warning(PACKS, base, "has no stored fingerprint to be compared with", remedy)
    else:
        yield _examined_part(base, pack, config.base, config.base_revision, lambda: require_base(config, folder))


def _examined_part(
    subject: str, pack: MotionPack, source: str, revision: str | None, require: Callable[[], object]
) -> Finding:
    """A model inside the pack, or of the hub by name and perhaps commit."""
    if (pack.folder / source).is_dir():
        try:
            require()
        except MotionRAGError as error:
            return problem(PACKS, subject, str(error), _COPY_AGAIN)
        return ok(PACKS, subject, f"{source} is what the pack was made with")
    known, backbone = known_sources().get(source, (None, ""))
    remedy = f"motionrag fetch {backbone}" if known else fetch_command("@".join(filter(None, (source, revision))))
    if known and known.is_pickled:
        told = f"{source} is a pickle on the hub, which is never opened here; a fetched pack holds it converted"
        return problem(PACKS, subject, told, remedy)
    snapshot = _in_hub_cache(source, revision)
    if snapshot is None:
        at = f" at commit {revision[:8]}" if revision else ""
        return problem(PACKS, subject, f"{source}{at} is neither in the pack nor in the local hub cache", remedy)
    wrong = what_is_wrong(known, snapshot) if known else None
    if wrong:
        return problem(PACKS, subject, f"{source} in the local hub cache {wrong}", remedy)
    return ok(PACKS, subject, f"{source} is in the local hub cache (held to its name, not its content)")


def _in_hub_cache(name: str, revision: str | None) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def _examined_database(name: str, folder: Path, packs: Mapping[str, MotionPack]) -> Iterator[Finding]:
    from index_builder.database.search.reader import MotionDatabase

    try:
        database = MotionDatabase.open(folder)
    except MotionRAGError as error:
        yield problem(DATABASES, name, str(error), f"motionrag index verify {folder}, then restore or rebuild it")
        return
    holds = f"opens: {len(database)} clips, generation {database.generation}, in {folder}"
    searching, storing = _fitting(database, packs)
    if not searching:
        yield problem(
            DATABASES,
            name,
            f"{holds}; no pack found asks in its search space ({_asked_by(database)})",
            "get the pack it was built with, or rebuild it: motionrag index build ... --pack NAME",
        )
    elif not storing:
        yield warning(
            DATABASES,
            name,
            f"{holds}; {', '.join(searching)} can search it, but its stored motion is of another pack",
            "neighbours are read again from their videos at each run; rebuild it with your pack to be fast",
        )
    else:
        yield ok(DATABASES, name, f"{holds}; fits {', '.join(storing)}")
        for pack in storing:
            yield from _examined_world(name, database, packs[pack])


def _examined_world(name: str, database: MotionDatabase, pack: MotionPack) -> Iterator[Finding]:
    try:
        unlike = told_of_clips(pack, database)
    except MotionRAGError as error:
        yield problem(PACKS, f"{pack.name}: world", str(error), _COPY_AGAIN)
        return
    if unlike is not None:
        remedy = "convert published weights (motionrag convert), and rebuild the database with that pack"
        yield warning(DATABASES, name, unlike, remedy)


def _asked_by(database: MotionDatabase) -> str:
    described = (database.manifest.space_of(field).description for field in ("text", "frame"))
    return " and ".join(dict.fromkeys(described))


def _fitting(database: MotionDatabase, packs: Mapping[str, MotionPack]) -> tuple[list[str], list[str]]:
    """Names of the packs that can search it, and of those whose tokens it stores."""
    stored = {field: database.manifest.space_of(field).fingerprint for field in ("text", "frame")}
    searching = []
    for name, pack in packs.items():
        frames = pack.config.encoders["retrieval"]
        captions = pack.config.encoders.get("captions", frames)
        if stored == {"text": captions.fingerprint, "frame": frames.fingerprint}:
            searching.append(name)
    storing = [name for name in searching if packs[name].tokens_fingerprint in database.tokens_fingerprints]
    return searching, storing
