"""300 mutated packs: each ends in a pack or in one clear sentence, and none asks for much memory."""

import json
import random
import resource
from pathlib import Path

from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.errors import PackInvalid, PackNotFound
from tests.mutations import as_json, limited, mutated_bytes

MUTATED = 300


def test_mutated_packs_end_in_a_pack_or_a_sentence(tmp_path: Path, write_tiny_pack) -> None:
    folder = write_tiny_pack(tmp_path / "pack")
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    values, generator, refused = json.loads(files[folder / "pack.json"]), random.Random(7), 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(MUTATED):
        path = folder / "pack.json" if number % 5 else generator.choice(sorted(files))
        json_file = path.name == "pack.json"
        path.write_bytes(as_json(values, generator) if json_file else mutated_bytes(files[path], generator))
        try:
            with limited():
                load_pack(folder)
        except (PackInvalid, PackNotFound) as error:
            refused += 1
            assert str(error)
        finally:
            path.write_bytes(files[path])
    assert MUTATED // 2 < refused <= MUTATED
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 512 << 10  # KiB
    load_pack(folder)
