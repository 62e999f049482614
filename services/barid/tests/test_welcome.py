"""What `barid up` says of mail for other domains."""

from pathlib import Path
from typing import Any

import pytest

from barid.plan import UpOptions, service_settings
from barid.welcome import command, welcome

STATUS: dict[str, Any] = {"accounts": [], "submission": "127.0.0.1:10587"}


def said(**options: Any) -> str:
    data = Path("/srv/mail")
    return welcome(STATUS, data, service_settings("relay", UpOptions(data=data, **options), {}, "nats://x", "p", "k"))


def test_unless_told_otherwise_it_is_captured_and_the_text_says_where_to_look() -> None:
    assert "Mail for other domains is captured: kept here, not sent." in said()
    assert "`barid captured list --data /srv/mail`" in said()


def test_how_to_send_it_is_said_so_that_it_works() -> None:
    """On the same data, and with all that the option needs."""
    assert "`barid up --data /srv/mail --outbound direct`" in said()
    assert "`smarthost --smarthost HOST:PORT`" in said()
    UpOptions(data=Path("/srv/mail"), outbound="smarthost", smarthost="host.test:25").check()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"outbound": "direct"}, "is sent, to their mail exchangers"),
        ({"outbound": "smarthost", "smarthost": "relay.test:25"}, "is sent, by relay.test:25"),
        ({"overrides": {"relay": {"outbound": "direct"}}}, "is sent, to their mail exchangers"),
    ],
)
def test_what_is_sent_is_not_said_to_be_captured(options: dict[str, Any], words: str) -> None:
    assert words in said(**options)
    assert "captured" not in said(**options)


def test_a_route_is_named_as_the_exception_that_it_is() -> None:
    text = said(routes=(("far.test", "127.0.0.1:2525"),))
    assert "captured" in text
    assert "Except for routed domains: far.test by 127.0.0.1:2525." in text


def test_the_command_is_one_that_a_shell_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `make run` it is in no PATH; a person copies the line and it works."""
    program = tmp_path / "my place" / ".venv" / "bin" / "barid"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    monkeypatch.setattr("sys.executable", str(program.with_name("python")))
    monkeypatch.chdir(tmp_path / "my place")
    monkeypatch.setenv("PATH", "/nowhere")
    assert command() == ".venv/bin/barid"
    monkeypatch.chdir("/")
    assert command() == f"'{program.relative_to('/')}'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert command() == "barid"


def test_the_text_names_the_command_as_it_is_to_be_typed() -> None:
    status = STATUS | {"imaps": "127.0.0.1:10993", "accounts": [{"login": "a@x.test", "password": "p"}]}
    text = welcome(status, Path("/srv/mail"), {"outbound": "capture"}, ".venv/bin/barid")
    assert "\n  .venv/bin/barid send --data /srv/mail --from a@x.test" in text
    assert "`.venv/bin/barid captured list --data /srv/mail`" in text


def test_only_passwords_that_it_made_itself_are_printed() -> None:
    accounts = [{"login": f"{name}@a.test", "password": f"secret of {name}"} for name in ("ann", "bob")]
    status = STATUS | {"accounts": accounts, "imaps": "127.0.0.1:10993"}
    relay = service_settings("relay", UpOptions(data=Path("/srv/mail")), {}, "nats://x", "p", "k")
    made = welcome(status, Path("/srv/mail"), relay)
    assert "ann@a.test   password secret of ann" in made
    assert "curl -k -u 'bob@a.test:secret of bob'" in made
    given = welcome(status, Path("/srv/mail"), relay, given=True)
    assert "  ann@a.test\n" in given
    assert "curl -k -u bob@a.test 'imaps" in given
    assert "secret" not in given
