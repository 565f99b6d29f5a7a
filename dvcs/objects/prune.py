"""
Removing objects from a store: packs that have some are written anew without them.

The order makes it safe to be killed at any point: the new pack is durable and verified before the
first old file moves, and old files move to a trash folder.
"""

from collections.abc import Collection
from pathlib import Path

from dvcs.objects.consolidate import retire
from dvcs.objects.gitobjects import Oid
from dvcs.objects.packs import PackFile, encode, install
from dvcs.objects.store import ObjectStore


def prune(store: ObjectStore, keep: Collection[Oid], trash: Path) -> list[Path]:
    """
    Remove all objects but those in `keep`; return the new packs.

    The caller sees to it that nobody writes meanwhile. Raises CorruptObject where an object that
    must stay is damaged; then nothing has changed.
    """
    affected = [
        pack for pack in store.packs() if any(oid not in keep for oid in pack.index.oids())
    ]
    wanted = {oid for pack in affected for oid in pack.index.oids() if oid in keep}
    paths: list[Path] = []
    if wanted:
        out = PackFile(store.pack_folder)
        try:
            for oid in sorted(wanted):
                kind, data = store.read(oid)
                out.append(encode(kind, data, oid))
            finished = out.finish()
        except BaseException:
            out.discard()
            raise
        try:
            paths = install(store.pack_folder, [finished])
        finally:
            finished.discard()
    retire(store, [pack for pack in affected if pack.path not in paths], trash)
    for path in list(store.loose_files()):
        if bytes.fromhex(path.parent.name + path.name) not in keep:
            path.replace(trash / (path.parent.name + path.name))
    return paths
