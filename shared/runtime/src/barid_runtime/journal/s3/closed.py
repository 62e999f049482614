"""The list of a writer's closed packs: one object that is overwritten, so that closing costs a PUT a writer and round,
not one a pack. Who writes it last wins; a pack that it forgets is closed again, for the mailstore's table knows it."""

from collections.abc import Iterable

from ...objects.port import ObjectMissing, ObjectStore
from . import keys


def closed_packs(store: ObjectStore, folder: str) -> set[str]:
    """Names of packs, as in BodyRef.pack. They stay in the list when they are deleted. Raises ObjectError."""
    for name in (keys.ALL, keys.SOME):
        try:
            text = store.get(f"{keys.closed_prefix(folder)}{name}")
        except ObjectMissing:
            continue
        return {f"{folder}/{line}" for line in text.decode("ascii", "replace").split()}
    return set()


def write_closed(store: ObjectStore, folder: str, packs: Iterable[str], *, all_of_them: bool) -> None:
    """all_of_them: the writer is dead, and has no other pack. Raises ObjectError."""
    text = "".join(f"{pack.rpartition('/')[2]}\n" for pack in sorted(packs)) or "\n"
    prefix = keys.closed_prefix(folder)
    store.put(f"{prefix}{keys.ALL if all_of_them else keys.SOME}", text.encode())
    if all_of_them:
        store.delete([f"{prefix}{keys.SOME}"])


def reopen(store: ObjectStore, folder: str) -> None:
    """The writer has another pack after all. Raises ObjectError."""
    prefix = keys.closed_prefix(folder)
    try:
        text = store.get(f"{prefix}{keys.ALL}")
    except ObjectMissing:
        return
    store.put(f"{prefix}{keys.SOME}", text)
    store.delete([f"{prefix}{keys.ALL}"])
