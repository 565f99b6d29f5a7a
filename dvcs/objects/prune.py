"""
Removing objects from a store: packs that have some are written anew without them.

The order makes it safe to be killed at any point: the new pack is durable and verified before the
first old file moves, and old files move to a trash folder.
"""

import os
from collections.abc import Collection
from pathlib import Path

from dvcs.errors import CorruptObject
from dvcs.objects._durable import fsync_dir, make_dirs
from dvcs.objects.consolidate import retire
from dvcs.objects.gitobjects import Oid
from dvcs.objects.pack_reader import BaseCache, Pack
from dvcs.objects.packs import FinishedPack, PackFile, encode, install
from dvcs.objects.store import ObjectStore
from dvcs.objects.verify import verify_pack

KEPT = ".keep"
"""Git's mark of a pack that nobody may touch."""


def prune(store: ObjectStore, keep: Collection[Oid], trash: Path) -> list[Path]:
    """
    Remove all objects but those in `keep`; return the new packs.

    The caller sees to it that nobody writes meanwhile. Raises CorruptObject where an object that
    must stay is damaged; then nothing has changed.
    """
    affected = [
        pack
        for pack in store.packs()
        if not pack.path.with_suffix(KEPT).exists()
        and any(oid not in keep for oid in pack.index.oids())
    ]
    wanted = sorted({oid for pack in affected for oid in pack.index.oids() if oid in keep})
    paths: list[Path] = []
    if wanted:
        finished = _written(store, wanted)
        try:
            _check(finished, wanted)
            paths = install(store.pack_folder, [finished])
        finally:
            finished.discard()
    loose = [
        path
        for path in store.loose_files()
        if bytes.fromhex(path.parent.name + path.name) not in keep
    ]
    retire(store, [pack for pack in affected if pack.path not in paths], trash)
    make_dirs(trash)
    for path in loose:
        os.replace(path, trash / (path.parent.name + path.name))  # noqa: PTH105 - says what it does
    for folder in {trash, *(path.parent for path in loose)}:
        fsync_dir(folder)
    return paths


def _written(store: ObjectStore, oids: list[Oid]) -> FinishedPack:
    out = PackFile(store.pack_folder)
    try:
        for oid in oids:
            kind, data = store.read(oid)
            out.append(encode(kind, data, oid))
        return out.finish()
    except BaseException:
        out.discard()
        raise


def _check(new: FinishedPack, oids: list[Oid]) -> None:
    """Raise CorruptObject unless the new pack is sound and has every object."""
    pack = Pack(new.pack, BaseCache(), index=new.index_file)
    for problem in verify_pack(pack):
        raise CorruptObject(f"the new pack is damaged: {problem.message}", hint="check the disk")
    if list(pack.index.oids()) != oids:
        raise CorruptObject("the new pack lacks objects", hint="check the disk")
