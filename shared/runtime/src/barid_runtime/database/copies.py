"""Snapshots and drafts (`.copying`) of wherever a service's tables stand. Drivers are imported when they are needed."""

from collections.abc import Sequence

from .copying import Draft, Snapshot
from .door import Place


async def open_snapshot(place: Place) -> Snapshot:
    """Of the instant of the call. Raises DatabaseError, also if there are no tables of ours."""
    if place.url:
        from .postgres_copying import open_snapshot as open_schema

        return await open_schema(place)
    from .sqlite_copying import open_snapshot as open_file

    return await open_file(place.file)


async def open_draft(place: Place, package: str, revision: str) -> Draft:
    """Empty tables of that revision of the package's migrations. Raises DatabaseError."""
    if place.url:
        from .postgres_copying import open_draft as open_schema

        return await open_schema(place, package, revision)
    from .sqlite_copying import open_draft as open_file

    return await open_file(place, package, revision)


async def publish(drafts: Sequence[Draft]) -> None:
    """The last one last. Those of one database of PostgreSQL are published together, whole or not at all; others each
    for itself. Raises DatabaseError."""
    places: dict[str, list[Place]] = {}
    for draft in reversed(drafts):
        if draft.place.url:
            places.setdefault(draft.place.url, []).append(draft.place)
    for draft in drafts:
        if not draft.place.url:
            await draft.publish()
    for some in reversed(places.values()):
        from .postgres_copying import publish as publish_schemas

        await publish_schemas(some)


async def holds_rows(place: Place, without: Sequence[str]) -> bool:
    """Whether anything is in the tables, but for those named. Raises DatabaseError."""
    if place.url:
        from .postgres_copying import holds_rows as schema_holds

        return await schema_holds(place, without)
    return place.file.exists()


async def is_in_use(place: Place) -> bool:
    """Whether a service works on it now. Raises DatabaseError."""
    if place.url:
        from .postgres_copying import is_in_use as schema_is_in_use

        return await schema_is_in_use(place)
    return False  # whoever owns the data folder's lock knows
