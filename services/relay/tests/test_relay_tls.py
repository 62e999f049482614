"""TLS towards other hosts: opportunistic by the DNS, verified where a password goes."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from barid_relay.settings import Settings

from .foreign import Conversation, Foreign, server_tls
from .office import QUICK, Office

PASSWORD = "correct horse"
PLAIN = f"AUTH PLAIN {base64.b64encode(f'{chr(0)}ann{chr(0)}{PASSWORD}'.encode()).decode()}"


def smarthost(far: Foreign, **more: Any) -> dict[str, Any]:
    return {
        "outbound": "smarthost",
        "smarthost": far.route,
        "smarthost_login": "ann",
        "smarthost_password": SecretStr(PASSWORD),
        **more,
    }


async def test_whoever_offers_tls_gets_it_without_being_asked_who_they_are(
    office: Office, start: Any, tmp_path: Path
) -> None:
    context, _ = server_tls(tmp_path / "tls", "somebody.else.test")
    async with Foreign(tls=context).open() as far:
        await start(routes={"far.test": far.route})
        await office.outcome(await office.mail("bob@far.test"), "relayed")
        assert far.taken[0].tls
        # What was told in the clear is forgotten: EHLO is said again.
        assert far.commands[:3] == ["EHLO relay.here.test", "STARTTLS", "EHLO relay.here.test"]


async def test_tls_that_does_not_work_is_done_without(office: Office, start: Any, tmp_path: Path) -> None:
    async def break_it(conversation: Conversation) -> str | None:
        await conversation.say("220 go")
        await conversation.reader.read(100)
        conversation.writer.write(b"this is no handshake" * 10)
        conversation.hang_up()
        return None

    context, _ = server_tls(tmp_path / "tls")
    async with Foreign(tls=context, replies={"STARTTLS": break_it}).open() as far:
        await start(routes={"far.test": far.route})
        await office.outcome(await office.mail("bob@far.test"), "relayed")
        assert not far.taken[0].tls
        assert far.connections == 2
        assert far.commands.count("STARTTLS") == 1


async def test_a_handshake_that_never_ends_is_done_without(office: Office, start: Any, tmp_path: Path) -> None:
    async def silence(conversation: Conversation) -> str | None:
        await conversation.say("220 go")
        await asyncio.sleep(60)
        return None

    context, _ = server_tls(tmp_path / "tls")
    async with Foreign(tls=context, replies={"STARTTLS": silence}).open() as far:
        await start(routes={"far.test": far.route}, timeouts=QUICK)
        await office.outcome(await office.mail("bob@far.test"), "relayed")
        assert [taken.tls for taken in far.taken] == [False]


async def test_tls_that_is_refused_is_done_without(office: Office, start: Any, tmp_path: Path) -> None:
    context, _ = server_tls(tmp_path / "tls")
    async with Foreign(tls=context, replies={"STARTTLS": "454 4.7.0 not now"}).open() as far:
        await start(routes={"far.test": far.route})
        await office.outcome(await office.mail("bob@far.test"), "relayed")
        assert far.connections == 1


async def test_a_reply_injected_before_the_handshake(office: Office, start: Any, tmp_path: Path) -> None:
    async def inject(conversation: Conversation) -> str | None:
        conversation.writer.write(b"220 go\r\n250-mx.far.test\r\n250 SMTPUTF8\r\n")
        await conversation.writer.drain()
        return ""

    context, _ = server_tls(tmp_path / "tls")
    async with Foreign(tls=context, replies={"STARTTLS": inject}).open() as far:
        await start(routes={"far.test": far.route})
        item = await office.deferred(await office.mail("bob@far.test"))
        assert "plaintext after agreeing to TLS" in item.last_error
        assert far.taken == []


async def test_a_smarthost_with_a_log_in_over_tls(office: Office, start: Any, tmp_path: Path) -> None:
    context, authorities = server_tls(tmp_path / "tls", "127.0.0.1")
    async with Foreign(features=("AUTH PLAIN LOGIN",), tls=context).open() as far:
        await start(**smarthost(far, smarthost_tls="required", smarthost_authorities=authorities))
        mail_id = await office.mail("bob@far.test", "dora@further.test")
        await office.outcome(mail_id, "relayed", "relayed")
        # All domains go one way, so one transaction does.
        assert far.taken[0].recipients == ["bob@far.test", "dora@further.test"]
        assert far.taken[0].tls
        assert far.taken[0].login == PLAIN
        assert all(PASSWORD not in str(step) for step in await office.steps(mail_id))


async def test_a_smarthost_that_speaks_tls_from_the_start(office: Office, start: Any, tmp_path: Path) -> None:
    context, authorities = server_tls(tmp_path / "tls", "127.0.0.1")
    async with Foreign(features=("AUTH PLAIN",)).open(ssl=context) as far:
        await start(**smarthost(far, smarthost_tls="implicit", smarthost_authorities=authorities))
        await office.outcome(await office.mail("bob@far.test"), "relayed")
        assert far.taken[0].tls


@pytest.mark.parametrize(
    ("tls", "names", "said"),
    [
        ("required", ("127.0.0.1",), "TLS failed"),  # nobody vouches for it
        ("required", None, "TLS is required, and not offered"),
    ],
)
async def test_a_smarthost_that_is_not_who_it_should_be_gets_no_password(
    office: Office, start: Any, tmp_path: Path, tls: str, names: tuple[str, ...] | None, said: str
) -> None:
    context = server_tls(tmp_path / "tls", *names)[0] if names else None
    async with Foreign(features=("AUTH PLAIN",), tls=context).open() as far:
        await start(**smarthost(far, smarthost_tls=tls))
        item = await office.deferred(await office.mail("bob@far.test"))
        assert said in item.last_error
        assert not any(command.startswith("AUTH") for command in far.commands)
        assert far.taken == []


async def test_a_certificate_of_another_name(office: Office, start: Any, tmp_path: Path) -> None:
    context, authorities = server_tls(tmp_path / "tls", "somebody.else.test")
    async with Foreign(features=("AUTH PLAIN",), tls=context).open() as far:
        await start(**smarthost(far, smarthost_tls="required", smarthost_authorities=authorities))
        item = await office.deferred(await office.mail("bob@far.test"))
        assert "TLS failed" in item.last_error
        assert far.taken == []


async def test_a_refused_log_in_is_no_reason_to_give_mail_back(office: Office, start: Any) -> None:
    async with Foreign(features=("AUTH PLAIN",), replies={"AUTH": "535 5.7.8 wrong"}).open() as far:
        await start(**smarthost(far))
        item = await office.deferred(await office.mail("bob@far.test"))
        assert "535 5.7.8 wrong" in item.last_error
        far.features = ("AUTH CRAM-MD5",)
        assert await office.act("retry") == 1
        item = await office.deferred(item.mail_id, 2)
        assert "neither PLAIN nor LOGIN" in item.last_error


async def test_on_this_machine_a_password_may_go_in_the_clear(office: Office, start: Any) -> None:
    async with Foreign(features=("AUTH PLAIN",)).open() as far:
        await start(**smarthost(far))
        await office.outcome(await office.mail("bob@far.test"), "relayed")
        assert far.taken[0].login == PLAIN


def test_settings_that_can_not_be(tmp_path: Path) -> None:
    for wrong in (
        {"outbound": "smarthost"},
        {"outbound": "nowhere"},
        {"smarthost": "mail.isp.test"},
        {"hostname": "my host"},
        {"hostname": "bücher.test"},
        {"routes": {"far.test": "127.0.0.1:0"}},
        {"routes": {"far.test": "127.0.0.1:99999"}},
    ):
        with pytest.raises(ValidationError):
            Settings(data=tmp_path, **wrong)  # type: ignore[arg-type]
    assert Settings(data=tmp_path).outbound == "capture"
