"""The way to PostgreSQL is encrypted, and it is PostgreSQL who is at its end."""

from pathlib import Path

import pytest

from barid_runtime.database.door import Place, open_at
from barid_runtime.database.embedded import EmbeddedPostgres
from barid_runtime.database.port import DatabaseError
from barid_runtime.settings import DatabaseSettings, SettingsError, load
from barid_runtime.tls import server_context
from barid_testing.certificates import Authority
from barid_testing.tls_front import TlsFront

MIGRATIONS = "barid_directory.adapters.migrations"


class Settings(DatabaseSettings):
    section = "tls"


def place_of(server: EmbeddedPostgres, port: int, authority: Authority | None) -> Place:
    url = server.url().replace(f":{server.port}/", f":{port}/")
    return load(Settings, data="/none", database_url=url, database_ca=authority and authority.certificate).place


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca of all"), "ours")  # a path with spaces, too


async def test_migrations_and_works_go_by_tls(postgres_server: EmbeddedPostgres, authority: Authority) -> None:
    pair = authority.issue("postgres", "127.0.0.1")
    async with TlsFront(postgres_server.port, server_context(pair.certificate, pair.key), postgres=True) as front:
        database = await open_at(place_of(postgres_server, front.port, authority), MIGRATIONS)
        await database.write(lambda cursor: cursor.execute("INSERT INTO domain (name) VALUES ('here.test')"))
        assert await database.read(lambda cursor: cursor.all("SELECT name FROM domain")) == [("here.test",)]
        secured = front.secured
        await database.write(lambda cursor: cursor.execute("DROP SCHEMA tls CASCADE"))
        await database.close()
    assert secured >= 4, "the look at the schema, its migration, the writer, a reader"


async def test_somebody_else_at_its_address_is_refused(
    postgres_server: EmbeddedPostgres, authority: Authority, tmp_path: Path
) -> None:
    strange = Authority(tmp_path, "somebody else's").issue("postgres", "127.0.0.1")
    elsewhere = authority.issue("elsewhere", "127.0.0.2")
    for pair, said in ((strange, "certificate verify failed"), (elsewhere, "IP address mismatch")):
        async with TlsFront(postgres_server.port, server_context(pair.certificate, pair.key), postgres=True) as front:
            with pytest.raises(DatabaseError, match=said) as caught:
                await open_at(place_of(postgres_server, front.port, authority), MIGRATIONS)
            assert front.secured == 0
        assert "\n" not in str(caught.value)
        assert postgres_server.url().split(":")[2].split("@")[0] not in str(caught.value), "the password"


async def test_a_server_without_tls_is_not_spoken_to_in_the_clear(
    postgres_server: EmbeddedPostgres, authority: Authority
) -> None:
    place = place_of(postgres_server, postgres_server.port, authority)
    with pytest.raises(DatabaseError, match="rejected SSL upgrade"):
        await open_at(place, MIGRATIONS)


@pytest.mark.parametrize(
    ("url", "authorities", "said"),
    [
        ("postgresql://u:hush@db/mail?sslmode=require", None, "remove it, and set BARID_DATABASE_CA"),
        ("postgresql://u:hush@db/mail?sslmode=verify-full", None, "remove it, and set BARID_DATABASE_CA"),
        ("postgresql://u:hush@db/mail?sslmode=verify-full&sslrootcert=/no/file", None, "/no/file is no file"),
        ("postgresql://u:hush@db/mail?sslmode=disable", __file__, "remove sslmode and sslrootcert from database_url"),
        ("postgresql://u:hush@db/mail", "/no/file", "BARID_DATABASE_CA is wrong .*: Path does not point to a file"),
        ("", __file__, "set it, too, or remove database_ca"),
    ],
)
def test_a_wrong_way_is_one_line(url: str, authorities: str | None, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        load(Settings, data="/none", database_url=url, database_ca=authorities)
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)
