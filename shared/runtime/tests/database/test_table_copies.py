"""Tables as a whole: read on a snapshot, filled as a draft, in files and in PostgreSQL, and from one into the other."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from barid_runtime.database.copies import holds_rows, is_in_use, open_draft, open_snapshot, publish
from barid_runtime.database.door import Place, open_at
from barid_runtime.database.embedded import EmbeddedPostgres
from barid_runtime.database.port import DatabaseError, Value

PACKAGE = "things_migrations"

FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None
def upgrade():
    op.create_table("thing", sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("name", sa.Text), sa.Column("loud", sa.Boolean, nullable=False), sa.Column("data", sa.LargeBinary))
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.add_column("thing", sa.Column("size", sa.BigInteger, nullable=False, server_default="7"))
"""
NEWEST = """-- revision 0002
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);
CREATE TABLE thing (id {number} PRIMARY KEY, name TEXT, loud BOOLEAN NOT NULL, data {bytes},
    size BIGINT NOT NULL DEFAULT 7);
INSERT INTO alembic_version VALUES ('0002');
"""
COLUMNS = ["id", "name", "loud", "data"]
ROWS: list[list[Value]] = [[3, "naïve \N{SNOWMAN}", True, b"\x00\xff"], [5, None, False, None], [9, "", 1, b""]]


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    versions = tmp_path / "code" / PACKAGE / "versions"
    versions.mkdir(parents=True)
    (versions.parent / "__init__.py").write_text('"""Things."""\n')
    (versions / "0001_things.py").write_text(FIRST)
    (versions / "0002_size.py").write_text(SECOND)
    # So that only what begins at the first revision needs Alembic, which takes a second.
    (versions.parent / "schema.sql").write_text(NEWEST.format(number="INTEGER", bytes="BLOB"))
    (versions.parent / "schema.postgres.sql").write_text(NEWEST.format(number="BIGSERIAL", bytes="BYTEA"))
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "code"))
    yield
    sys.modules.pop(PACKAGE, None)


@pytest.fixture
def empty(place: Place) -> Iterator[Place]:
    """Nothing is there."""
    yield place
    if place.url:
        asyncio.run(_drop(f"{place.schema}_draft", place.url))


async def _drop(schema: str, url: str) -> None:
    admin = await asyncpg.connect(url)
    await admin.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
    await admin.close()


async def given(rows: Sequence[Sequence[Value]]) -> AsyncIterator[Sequence[Sequence[Value]]]:
    for row in rows:
        yield [row]


async def make(place: Place, revision: str = "0001") -> None:
    draft = await open_draft(place, PACKAGE, revision)
    await draft.fill("thing", COLUMNS, given(ROWS))
    assert not await holds_rows(place, ())
    await draft.publish()
    await draft.discard()


async def everything(place: Place) -> list[list[Value]]:
    snapshot = await open_snapshot(place)
    columns = await snapshot.columns("thing")
    found = [list(row[: len(COLUMNS)]) async for some in snapshot.rows("thing") for row in some]
    assert await snapshot.tables() == {"thing": len(found)}
    assert columns[: len(COLUMNS)] == COLUMNS
    await snapshot.close()
    return found


async def test_a_draft_becomes_the_tables_and_is_brought_up_to_date(empty: Place) -> None:
    await make(empty)
    assert await everything(empty) == ROWS
    assert await holds_rows(empty, ())
    database = await open_at(empty, PACKAGE)
    assert await is_in_use(empty) == bool(empty.url)
    # What was filled in at the first revision has what the second adds; and numbers go on behind those that are taken.
    assert await database.read(lambda cursor: cursor.all("SELECT DISTINCT size FROM thing")) == [(7,)]
    insert = "INSERT INTO thing (name, loud) VALUES ('x', ?) RETURNING id"
    assert await database.write(lambda cursor: cursor.one(insert, (True,))) == (10,)
    await database.close()


async def test_a_draft_that_was_left_behind_is_begun_anew(empty: Place) -> None:
    left_behind = await open_draft(empty, PACKAGE, "0002")
    await left_behind.fill("thing", COLUMNS, given(ROWS))
    with pytest.raises(KeyError, match="thing has no weight"):
        await left_behind.fill("thing", [*COLUMNS, "weight"], given([]))
    with pytest.raises(DatabaseError):
        await open_snapshot(empty)
    await make(empty, "0002")
    assert await everything(empty) == ROWS


async def test_drafts_of_one_database_become_the_tables_together(
    tmp_path: Path, postgres_server: EmbeddedPostgres
) -> None:
    places = [Place(tmp_path / "none", postgres_server.url(), schema) for schema in ("one", "two")]
    drafts = [await open_draft(place, PACKAGE, "0002") for place in places]
    for draft in drafts:
        await draft.fill("thing", COLUMNS, given(ROWS))
    await _drop("two_draft", postgres_server.url())
    with pytest.raises(DatabaseError, match="two_draft"):
        await publish(drafts)
    assert not await holds_rows(places[0], ())
    drafts[1] = await open_draft(places[1], PACKAGE, "0002")
    await publish(drafts)
    assert [await holds_rows(place, ()) for place in places] == [True, False]
    for place in places:
        await _drop(place.schema, place.url)


async def test_a_snapshot_is_of_one_instant(empty: Place) -> None:
    await make(empty, "0002")
    database = await open_at(empty, PACKAGE)
    snapshot = await open_snapshot(empty)
    await database.write(lambda cursor: cursor.execute("DELETE FROM thing WHERE id = 3"))
    await database.write(lambda cursor: cursor.execute("INSERT INTO thing (id, loud) VALUES (77, ?)", (True,)))
    assert [row[0] async for some in snapshot.rows("thing") for row in some] == [3, 5, 9]
    assert await snapshot.all("SELECT count(*) FROM thing") == [(3,)]
    await snapshot.close()
    assert [row[0] for row in await everything(empty)] == [5, 9, 77]
    await database.close()


async def test_from_a_file_into_a_schema(tmp_path: Path, postgres_server: EmbeddedPostgres) -> None:
    file, schema = Place(tmp_path / "a.db"), Place(tmp_path / "none", postgres_server.url(), "moved")
    draft = await open_draft(file, PACKAGE, "0002")
    await draft.fill("thing", COLUMNS, given([*ROWS, [11, "a\0b", True, None]]))
    await draft.publish()
    with pytest.raises(DatabaseError, match="is there already"):
        await (await open_draft(file, PACKAGE, "0002")).publish()
    source = await open_snapshot(file)
    draft = await open_draft(schema, PACKAGE, source.revision)
    await draft.fill("thing", await source.columns("thing"), source.rows("thing"))
    await draft.publish()
    await source.close()
    # PostgreSQL's text holds no NUL.
    assert await everything(schema) == [*ROWS, [11, "a b", True, None]]
    # And back: true is 1 again.
    source = await open_snapshot(schema)
    other = replace(file, file=tmp_path / "b.db")
    draft = await open_draft(other, PACKAGE, source.revision)
    await draft.fill("thing", await source.columns("thing"), source.rows("thing"))
    await draft.publish()
    await source.close()
    assert (await everything(other))[0] == ROWS[0]
    await _drop("moved", schema.url)
