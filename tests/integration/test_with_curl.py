"""curl: smtp://, imap:// and pop3://, and their TLS kinds."""

from collections.abc import Callable

import pytest

from barid_testing.mail_system import Endpoint

from .conftest import World

Run = Callable[..., str]
Program = Callable[[str], str]


def at(endpoint: Endpoint) -> str:
    return f"{endpoint.host}:{endpoint.port}"


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_submits_and_reads_by_imap_and_pop3(world: World, program: Program, run: Run, scheme: str) -> None:
    curl, alice, bob = program("curl"), world.here.account(), world.reader()
    door = world.here.submission if scheme == "smtp" else world.here.submissions
    run(
        *(curl, "-sS", "-k", "--ssl-reqd", f"{scheme}://{at(door)}", "-u", f"{alice.login}:{alice.password}"),
        *("--mail-from", alice.address, "--mail-rcpt", bob.address, "-T", "-"),
        stdin=f"From: {alice.address}\nTo: {bob.address}\nSubject: by curl\n\nhello from curl\n",
    )
    world.there.expect(bob, "by curl", within=20)

    login = ("-u", f"{bob.login}:{bob.password}")
    for url in (f"imaps://{at(world.there.imaps)}", f"imap://{at(world.there.imap)}"):
        read = run(curl, "-sS", "-k", "--ssl", *login, f"{url}/INBOX;MAILINDEX=1")
        assert "hello from curl" in read
        assert "INBOX" in run(curl, "-sS", "-k", "--ssl", *login, f"{url}/")
        assert "* SEARCH 1" in run(curl, "-sS", "-k", "--ssl", *login, f"{url}/INBOX?SUBJECT%20curl")
    for url in (f"pop3s://{at(world.there.pop3s)}", f"pop3://{at(world.there.pop3)}"):
        assert run(curl, "-sS", "-k", "--ssl", *login, f"{url}/").startswith("1 ")
        assert "hello from curl" in run(curl, "-sS", "-k", "--ssl", *login, f"{url}/1")
