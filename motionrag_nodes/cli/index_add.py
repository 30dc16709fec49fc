"""`motionrag index add`: more videos into a database that exists."""

from __future__ import annotations

from typing import Any

from index_builder.database.format.manifest import newest_manifest
from motionrag_nodes.cli.index_build import run_build
from motionrag_nodes.cli.index_build_options import Device, Inputs, Page, takes_build_settings
from motionrag_nodes.cli.index_options import AsJson, Database, Pack


@takes_build_settings
def add(
    database: Database,
    inputs: Inputs,
    settings: dict[str, Any],
    pack: Pack = "tiny",
    device: Device = "auto",
    page: Page = None,
    as_json: AsJson = False,
) -> None:
    """Add more videos to an existing database; what it already holds is skipped, and removed clips stay removed.

    Exit code: 0 done, 2 bad input, 130 interrupted.
    """
    # A mistyped name should not become a new database: that is what build is for.
    newest_manifest(database)
    run_build(inputs, database, pack, settings, page, as_json, device=device)
