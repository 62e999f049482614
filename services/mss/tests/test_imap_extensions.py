"""Extensions over a real socket, on the real parts: one house for all, and a user of its own for each test."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from barid_runtime.bus.nats import connect

from .house import House, Raw, letter, open_house

pytestmark = pytest.mark.asyncio(loop_scope="module")

_serial = count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, nats_url: str) -> AsyncIterator[House]:
    data: Path = tmp_path_factory.mktemp("extensions") / "data"
    bus = await connect(nats_url, name="test")
    try:
        async with open_house(data, nats_url, bus) as house:
            yield house
    finally:
        await bus.close()


@pytest_asyncio.fixture(loop_scope="module")
async def user(house: House) -> str:
    name = f"user{next(_serial)}"
    await house.people(name)
    return name


@pytest_asyncio.fixture(loop_scope="module")
async def client(house: House, user: str) -> AsyncIterator[Raw]:
    client = await house.imap(user)
    yield client
    client.close()


async def three(client: Raw) -> None:
    """alpha, beta, gamma in INBOX, selected."""
    for subject in ("alpha", "beta", "gamma"):
        await client.append(letter(subject, body=f"{subject}\r\n" * 100 if subject == "gamma" else "short\r\n"))
    await client.ok("SELECT INBOX")


async def test_search_returns_what_is_asked_for(client: Raw) -> None:
    await three(client)
    assert await client.ok("UID SEARCH RETURN (MIN MAX COUNT) SUBJECT a") == [
        b'* ESEARCH (TAG "t%d") UID MIN 1 MAX 3 COUNT 3' % client.count
    ]
    assert await client.ok("SEARCH RETURN () LARGER 600") == [b'* ESEARCH (TAG "t%d") ALL 3' % client.count]
    assert await client.ok("UID SEARCH RETURN (PARTIAL -1:-2) ALL") == [
        b'* ESEARCH (TAG "t%d") UID PARTIAL (-1:-2 2:3)' % client.count
    ]
    assert await client.ok("UID FETCH 1:* (RFC822.SIZE) (PARTIAL 2:2)") != []
    assert await client.ok("SEARCH YOUNGER 3600") == [b"* SEARCH 1 2 3"]
    assert await client.ok("SEARCH OLDER 3600") == [b"* SEARCH"]


async def test_a_result_is_kept_for_the_next_command(client: Raw) -> None:
    await three(client)
    assert await client.ok("SEARCH RETURN (SAVE) OR SUBJECT alpha SUBJECT gamma") == []
    assert await client.ok("STORE $ +FLAGS.SILENT (\\Deleted)") == []
    assert await client.ok("UID SEARCH UID $ BODY short") == [b"* SEARCH 1"]
    await client.ok("UID EXPUNGE $")
    assert await client.ok("UID SEARCH ALL") == [b"* SEARCH 2"]
    assert await client.ok("UID SEARCH $") == [b"* SEARCH"]


async def test_mailboxes_are_listed_with_their_counters(client: Raw) -> None:
    await client.append(letter())
    await client.ok("CREATE Work/Done")
    assert await client.ok('LIST "" (INBOX Work/%) RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT))') == [
        b'* LIST (\\HasNoChildren \\Subscribed) "/" INBOX',
        b"* STATUS INBOX (MESSAGES 1 UIDNEXT 2)",
        b'* LIST (\\HasNoChildren) "/" Work/Done',
        b"* STATUS Work/Done (MESSAGES 0 UIDNEXT 1)",
    ]
    await client.ok("SUBSCRIBE Work/Done")
    await client.ok("SUBSCRIBE Gone/Away")
    assert await client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" (Work Gone)') == [
        b'* LIST (\\NonExistent) "/" Gone ("CHILDINFO" ("SUBSCRIBED"))',
        b'* LIST (\\HasChildren) "/" Work ("CHILDINFO" ("SUBSCRIBED"))',
    ]


async def test_a_mailbox_is_made_for_a_use(client: Raw) -> None:
    assert (await client.no("CREATE Outgoing (USE (\\Sent))")).startswith(b"NO [USEATTR]")
    await client.ok("DELETE Sent")
    await client.ok("CREATE Outgoing (USE (\\Sent))")
    assert b'* LIST (\\HasNoChildren \\Sent) "/" Outgoing' in await client.ok('LIST (SPECIAL-USE) "" *')


async def test_a_mailbox_keeps_its_id_under_another_name(client: Raw) -> None:
    _, end = await client.ask("CREATE One")
    (made,) = [word for word in end.split() if word.startswith(b"(F")]
    await client.ok("RENAME One Two")
    assert await client.ok("STATUS Two (MAILBOXID)") == [b"* STATUS Two (MAILBOXID " + made.rstrip(b"]") + b")"]
    assert b"* OK [MAILBOXID " + made + b" Its id" in await client.ok("SELECT Two")
