"""`barid doctor` for a journal in a bucket: are its packs whole?

Which bucket: that of the system that runs from the data folder, else that of the settings (BARID_S3_URL and others).
Every pack of a bucket is sealed, so its footer is enough for a look; with `--deep` all of each is read.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from barid_runtime.journal import record
from barid_runtime.journal.footer import TRAILER, decode_entries, decode_trailer
from barid_runtime.journal.port import CHUNK, BodyCorrupt
from barid_runtime.journal.s3 import keys
from barid_runtime.journal.s3.keeper import TAIL
from barid_runtime.journal.scan import Damage, Found, walk_data
from barid_runtime.journal.settings import JournalSettings
from barid_runtime.objects.place import S3Place
from barid_runtime.objects.port import Listed, ObjectError, ObjectMissing, ObjectStore
from barid_runtime.objects.s3 import Bucket
from barid_runtime.settings import SettingsError, load

from .findings import Finding, Findings, damage_finding
from .folder import Json

AT_ONCE = 8

LOOKED_MOST = 20_000
"""Packs looked at without `--deep`, the oldest first: at 10 ms each and eight at once half a minute."""


def examine(data: Path, running: Json | None, *, deep: bool) -> Findings:
    """Nothing where the journal is in no bucket."""
    try:
        place = _place(data, running)
    except SettingsError as error:
        yield Finding("bucket", "fail", str(error).replace("\n", "; "), "correct the setting")
        return
    if place is None:
        return
    store = Bucket(place, connections=AT_ONCE, makes=False)
    try:
        yield _look(store, deep=deep)
    except ObjectError as error:
        yield Finding("bucket", "fail", str(error), "look at the store and at the settings of it")
    finally:
        store.close()


def _place(data: Path, running: Json | None) -> S3Place | None:
    if running is not None:
        if not running.get("objects"):
            return None  # in the data folder
        from urllib.parse import urlsplit

        from barid_runtime.objects.embedded import EmbeddedS3

        return EmbeddedS3(data / "objects", urlsplit(str(running["objects"])).port or 0).place
    return load(JournalSettings, data=data).journal_place.s3


def _look(store: ObjectStore, *, deep: bool) -> Finding:
    refused = {keys.name_in(each.key) for each in store.below(keys.ABORTED)}
    counted = (each for each in store.below(keys.PACKS) if keys.name_in(each.key) not in refused)
    look = _read_all if deep else _read_footer
    packs = records = 0
    damaged: list[str] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while batch := list(islice(counted, AT_ONCE * 8)):
            for found, faults in pool.map(lambda each: look(store, each), batch):
                packs, records = packs + 1, records + found
                damaged += faults
            if not deep and packs >= LOOKED_MOST:
                break
    if damaged:
        return damage_finding("bucket", damaged)
    checked = "leads and bodies sound" if deep else "footers sound (leads and bodies too: --deep)"
    return Finding("bucket", "ok", f"{records} records in {packs} packs, {checked}")


def _read_footer(store: ObjectStore, pack: Listed) -> tuple[int, list[str]]:
    try:
        start = max(0, pack.size - TAIL)
        tail = store.get(pack.key, start)
        trailer = decode_trailer(tail[-TRAILER:], pack.size)
        if trailer is None:
            return 0, [f"{pack.key} has no end"]
        at = trailer.offset - start
        lines = tail[at:-TRAILER] if at >= 0 else store.get(pack.key, trailer.offset, trailer.size)
        return len(decode_entries(lines, trailer)), []
    except ObjectMissing:
        return 0, []  # deleted meanwhile
    except BodyCorrupt:
        return 0, [f"{pack.key}: its footer"]


def _read_all(store: ObjectStore, pack: Listed) -> tuple[int, list[str]]:
    try:
        data = store.get(pack.key)
    except ObjectMissing:
        return 0, []
    records, faults = 0, []
    if decode_trailer(data[-TRAILER:], len(data)) is None:
        faults.append(f"{pack.key} has no end")
    for found in walk_data(data):
        if isinstance(found, Damage):
            faults.append(f"{pack.key} at {found.start}")
            continue
        records += 1
        if not all(_chunks_are_sound(data, found)):
            faults.append(f"{pack.key} at {found.offset} ({found.lead.mail_id})")
    return records, faults


def _chunks_are_sound(data: bytes, found: Found) -> Iterator[bool]:
    """An object's are not looked at: it was stored before its record was."""
    if found.lead.external:
        return
    begin = found.offset + found.lead.size
    for number, at in enumerate(range(begin, begin + found.lead.body_size, CHUNK)):
        try:
            record.verify_chunks(found.lead.table, data[at : min(at + CHUNK, begin + found.lead.body_size)], number)
        except BodyCorrupt:
            yield False
        else:
            yield True
