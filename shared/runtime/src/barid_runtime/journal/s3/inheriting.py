"""What a dead incarnation left in its folder, brought to the bucket. Everything here blocks.

A copy counts if it is whole: then it was sent, or may as well be now, and is published again unless it stands in
`kept/`, or was refused, as the local list or the bucket's says. One that is not whole was being written: nobody was
told that we have it, unless its PUT was done, which the bucket knows.
"""

from pathlib import Path

from ...objects.port import ObjectError, ObjectStore
from .. import record
from ..folder import WriterFolder, aborted_packs, clear_spool, packs_of, writer_folders
from ..footer import TRAILER, decode_trailer
from ..inheritance import Inheritance, Unpublished
from . import keys
from .aborts import mark
from .closed import reopen
from .copies import KEPT, Copies, kept_of
from .image import is_whole


class _Taken:
    """The copies' keeper holds the folder beyond its publishing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def release(self) -> None:
        """Nothing to do: see above."""


def inherit(
    root: Path, service: str, store: ObjectStore, copies: Copies
) -> tuple[list[Inheritance], list[WriterFolder]]:
    """Take over the folders of the service's dead incarnations; returns what is to be published, and the folders that
    we hold from now on. A folder that can't be dealt with now is left for the next time."""
    inherited: list[Inheritance] = []
    held: list[WriterFolder] = []
    for path in writer_folders(root, service):
        folder = WriterFolder.seize(path)
        if folder is None:
            continue
        found = Inheritance(_Taken(folder.name))
        try:
            _take_stock(folder, store, found)
        except (OSError, ObjectError) as error:
            found.unpublished.clear()
            found.notes.append(f"{folder.name} can't be recovered now: {error}")
            folder.release()
        else:
            copies.adopt(folder.path)
            if any(packs_of(folder.path)) or any(kept_of(folder.path)):
                held.append(folder)
            else:
                if (folder.path / KEPT).is_dir():
                    (folder.path / KEPT).rmdir()
                folder.remove_if_empty()
                folder.release()
        if found.unpublished or found.notes:
            inherited.append(found)
    return inherited, held


def _take_stock(folder: WriterFolder, store: ObjectStore, found: Inheritance) -> None:
    clear_spool(folder.path)
    aborted = aborted_packs(folder.path)
    for file in sorted(aborted):
        mark(store, f"{folder.name}/{file}")
        (folder.path / file).unlink(missing_ok=True)
    copies = list(packs_of(folder.path))
    marks = store.below(keys.aborted_prefix(folder.name)) if copies else ()
    marked = {keys.name_in(each.key) for each in marks}
    for path in copies:
        name = f"{folder.name}/{path.name}"
        if name in marked:
            found.notes.append(f"{name} was refused; its copy is removed")
            path.unlink()
            continue
        data = path.read_bytes()
        if not is_whole(data):
            found.notes.append(f"{name} was not written to its end; its copy is removed")
            path.unlink()
            continue
        key = keys.pack_key(name)
        assert key is not None
        if store.size(key) is None:
            found.notes.append(f"{name} was not in the bucket; it is sent again")
            store.put(key, data)
            reopen(store, folder.name)
        trailer = decode_trailer(data[-TRAILER:], len(data))
        assert trailer is not None
        found.unpublished.append(Unpublished(name, record.PACK_HEADER, trailer.offset))
