"""The hub cache against what is known of published files: what is missing, and which variant lies there instead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from motionrag_nodes.backbones.backbone import all_backbones
from motionrag_nodes.backbones.hub_source import HubSource
from motionrag_nodes.checkpoints.published import ENCODER_SOURCES
from motionrag_nodes.doctor.findings import Finding, ok, problem
from motionrag_nodes.fetch.hub import Hub

HUB_CACHE = "hub cache"
_WEIGHTS = (".safetensors", ".bin", ".ckpt", ".pt", ".pth")
_HALF = ".fp16"


def known_sources() -> dict[str, tuple[HubSource, str]]:
    """Every repository that `motionrag fetch` knows, by name, with a backbone that needs it."""
    found: dict[str, tuple[HubSource, str]] = {}
    for backbone in all_backbones():
        if backbone.published is not None:
            for source in (*ENCODER_SOURCES.values(), backbone.published.base):
                found.setdefault(source.repo, (source, backbone.name))
    return found


def examine_hub_cache(hub: Hub | None = None) -> Iterator[Finding]:
    """A finding on each repository that is known and lies in the cache, in part or whole."""
    hub = hub or Hub()
    for repo, (source, backbone) in known_sources().items():
        # What other programs brought need not be of the commit that is pinned here.
        folders = [hub.snapshot(repo, source.revision), *_other_snapshots(hub, repo, source.revision)]
        present = [folder for folder in folders if folder.is_dir()]
        if not present:
            continue
        wrong = [what_is_wrong(source, folder) for folder in present]
        if None in wrong:
            folder = present[wrong.index(None)]
            commit = (
                "" if folder.name == source.revision else f", of another commit ({folder.name[:8]}) than the pinned"
            )
            yield ok(HUB_CACHE, repo, f"all that is needed is there{commit}")
        else:
            yield problem(HUB_CACHE, repo, str(wrong[0]), f"motionrag fetch {backbone}")


def what_is_wrong(source: HubSource, folder: Path) -> str | None:
    """What of the needed files a snapshot lacks, and what lies there instead; None when nothing is wrong with it."""
    missing = [name for name in source.files if not any((folder / known).exists() for known in _same(name))]
    if not missing:
        return None
    places = {str(Path(name).parent) for name in missing if name.endswith(_WEIGHTS)}
    instead = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in _WEIGHTS and (str(path.relative_to(folder).parent) in places or path.parent == folder)
    )
    found = f"; it holds {', '.join(instead[:3])}, another variant" if instead and places else ""
    return f"lacks {', '.join(missing[:3])}{' and more' if len(missing) > 3 else ''}{found}"


def _same(name: str) -> tuple[str, ...]:
    """A file, or the same in full precision: that is larger, and serves as well."""
    return (name, name.replace(_HALF, "")) if _HALF in name else (name,)


def _other_snapshots(hub: Hub, repo: str, pinned: str) -> list[Path]:
    folder = hub.snapshot(repo, pinned).parent
    return sorted(path for path in folder.glob("*") if path.name != pinned) if folder.is_dir() else []
