"""Where a system's tables and journal stand: as the services' own settings say, or as `barid up --size cluster` has
laid them into its data folder."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from barid_runtime.database.door import Place
from barid_runtime.journal.door import JournalPlace
from barid_runtime.settings import load

from ..building import settings_type
from ..folder import DataFolder
from .contents import CONTENTS
from .layout import BackupError

DATABASE = "postgres"
OBJECTS = "objects"
"""Folders of `barid up --size cluster` (`..ground`)."""


@dataclass(frozen=True, slots=True)
class Places:
    """tables: by service. folder: that a restore owns and marks meanwhile, if there is one. own_database: PostgreSQL
    stands in it, so nobody runs on the tables while the mark is there."""

    kind: Literal["embedded", "cluster"]
    tables: Mapping[str, Place]
    journal: JournalPlace
    folder: DataFolder | None = None
    own_database: bool = False


def by_settings(data: Path, **given: Any) -> Places:
    """As each service would find them. Raises SettingsError."""
    tables: dict[str, Place] = {}
    journal: JournalPlace | None = None
    for contents in CONTENTS:
        settings: Any = load(settings_type(contents.service), data=data, **given)
        tables[contents.service] = settings.place
        if contents.service == "mailstore":
            journal = settings.journal_place
    assert journal is not None
    files = not any(place.url for place in tables.values())
    return Places(
        "embedded" if files and journal.s3 is None else "cluster",
        tables,
        journal,
        DataFolder(data) if files or journal.s3 is None else None,
    )


def of_running(data: Path) -> Places:
    """To be backed up; data is absolute. Raises BackupError, SettingsError."""
    if not (data / DATABASE / "data").is_dir():
        places = by_settings(data)
        if places.folder is not None and not data.is_dir():
            raise BackupError(f"there is no {data}: name the data folder with --data, or set BARID_DATABASE_URL")
        return places
    status = DataFolder(data).running()
    if status is None or not isinstance(status.get("database"), str):
        raise BackupError(f"the database of {data} does not run: start it with `barid up --size cluster` first")
    return _of_ground(data, int(status["database"].rpartition(":")[2]), status.get("objects"))


def _of_ground(data: Path, database_port: int, objects_url: str | None) -> Places:
    from barid_runtime.database.embedded import EmbeddedPostgres
    from barid_runtime.objects.embedded import EmbeddedS3

    given: dict[str, Any] = {"database_url": EmbeddedPostgres(data / DATABASE, database_port).url()}
    if objects_url:
        place = EmbeddedS3(data / OBJECTS, int(objects_url.rpartition(":")[2])).place
        given |= {
            "s3_url": place.url,
            "s3_bucket": place.bucket,
            "s3_access_key": place.access_key,
            "s3_secret_key": place.secret_key,
        }
    return by_settings(data, **given)


@contextlib.asynccontextmanager
async def to_be_filled(data: Path, *, size: str) -> AsyncIterator[Places]:
    """Where a restore goes; data is absolute. size `cluster`: into the folder of a `barid up --size cluster`, whose
    database and object store run meanwhile; else where settings say. Raises SettingsError, FolderError, DatabaseError,
    ObjectError."""
    if size != "cluster":
        yield by_settings(data)
        return
    from barid_runtime.database.embedded import EmbeddedPostgres
    from barid_runtime.objects.embedded import EmbeddedS3

    from ..ground import open_to_database

    DataFolder(data).prepare()
    open_to_database(data)
    database, objects = EmbeddedPostgres(data / DATABASE), EmbeddedS3(data / OBJECTS)
    try:
        await database.start()
        await objects.start()
        places = _of_ground(data, database.port, objects.place.url)
        yield replace(places, folder=DataFolder(data), own_database=True)
    finally:
        await objects.stop()
        await database.stop()
