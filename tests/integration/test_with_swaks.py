"""swaks submits, with TLS, log-in and an attachment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import World

Run = Callable[..., str]
Program = Callable[[str], str]


@pytest.fixture
def swaks(program: Program, run: Run) -> str:
    """One with TLS, which hangs on another package than swaks' own."""
    found = program("swaks")
    if "=== TLS supported" not in run(found, "--support"):
        pytest.skip("this swaks has no TLS: install libnet-ssleay-perl")
    return found


def test_submission_with_tls_and_log_in(world: World, swaks: str, run: Run, tmp_path: Path) -> None:
    alice, bob = world.here.account(), world.reader()
    (tmp_path / "note.txt").write_text("attached\n")
    said = run(
        *(swaks, "--server", world.here.submission.host, "--port", str(world.here.submission.port)),
        *("--tls", "--auth", "PLAIN", "--auth-user", alice.login, "--auth-password", alice.password),
        *("--from", alice.address, "--to", bob.address, "--header", "Subject: [list] by swaks"),
        *("--body", "hello", "--attach", f"@{tmp_path}/note.txt"),
    )
    assert "TLS started" in said
    mail = world.there.expect(bob, "by swaks", within=20)
    assert mail.mailbox == "Archive"
    assert next(mail.content.iter_attachments()).get_content() == b"attached\n"


def test_pipelining_between_systems(world: World, swaks: str, run: Run) -> None:
    carol = world.here.account()
    run(
        *(swaks, "--server", world.here.smtp.host, "--port", str(world.here.smtp.port), "--pipeline"),
        *("--from", "a@x.test", "--to", carol.address, "--header", "Subject: pipelined", "--protocol", "ESMTP"),
    )
    assert world.here.expect(carol, "pipelined")


def test_a_wrong_password_is_an_error(world: World, swaks: str, run: Run) -> None:
    alice = world.here.account()
    said = run(
        *(swaks, "--server", world.here.submission.host, "--port", str(world.here.submission.port)),
        *("--tls", "--auth", "LOGIN", "--auth-user", alice.login, "--auth-password", "wrong"),
        *("--from", alice.address, "--to", alice.address),
        codes=(28,),
    )
    assert "535" in said
