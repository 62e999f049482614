"""Where mail goes by the DNS: MX records from a master file, hosts on addresses of this machine."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from .foreign import Foreign
from .office import Office

HERE = (ip_network("127.0.0.0/8"),)

ZONE = """
$TTL 60
far.test.          MX 10 mx1.far.test.
far.test.          MX 20 mx2.far.test.
mx1.far.test.      A 127.0.0.2
mx2.far.test.      A 127.0.0.3
plain.test.        A 127.0.0.3
null.test.         MX 0 .
null.test.         A 127.0.0.2
own.test.          MX 10 relay.here.test.
own.test.          MX 20 mx2.far.test.
backup.test.       MX 10 mx2.far.test.
backup.test.       MX 20 relay.here.test.
lost.test.         MX 10 nowhere.far.test.
lost.test.         A 127.0.0.3
empty.test.        TXT "no address, no MX"
alias.test.        CNAME far.test.
round.test.        CNAME round.test.
xn--bcher-kva.test. MX 10 mx2.far.test.
"""


@pytest.fixture
def zone(tmp_path: Path) -> Path:
    path = tmp_path / "zone"
    path.write_text(ZONE)
    return path


@pytest.fixture
def direct(start: Any, zone: Path) -> Any:
    async def start_direct(port: int, **more: Any) -> Any:
        return await start(outbound="direct", dns_zone_file=zone, mx_port=port, dial_networks=HERE, **more)

    return start_direct


async def test_the_best_host_that_answers(office: Office, direct: Any) -> None:
    async with Foreign(host="127.0.0.3").open() as second:
        relay = await direct(second.port)
        await office.outcome(await office.mail("bob@far.test"), "relayed")
        async with Foreign(host="127.0.0.2", port=second.port).open() as first:
            await relay.drain()
            await direct(second.port)
            await office.outcome(await office.mail("carl@far.test"), "relayed")
            assert [taken.recipients for taken in first.taken] == [["carl@far.test"]]
        assert [taken.recipients for taken in second.taken] == [["bob@far.test"]]


async def test_a_refusal_at_the_greeting_leads_to_the_next_host(office: Office, direct: Any) -> None:
    async with Foreign(host="127.0.0.3").open() as second:
        async with Foreign(host="127.0.0.2", port=second.port, replies={"GREETING": "421 busy"}).open() as first:
            await direct(second.port)
            await office.outcome(await office.mail("bob@far.test"), "relayed")
            assert first.connections == 1
        assert second.taken


@pytest.mark.parametrize(
    ("domain", "host"),
    [
        ("plain.test", "127.0.0.3"),  # no MX: the domain itself
        ("alias.test", "127.0.0.2"),
        ("bücher.test", "127.0.0.3"),
        ("backup.test", "127.0.0.3"),  # we are the backup: only better hosts
        ("[127.0.0.3]", "127.0.0.3"),
    ],
)
async def test_where_domains_lead(office: Office, direct: Any, domain: str, host: str) -> None:
    async with Foreign(host=host).open() as far:
        await direct(far.port)
        await office.outcome(await office.mail(f"bob@{domain}"), "relayed")
        assert far.taken


@pytest.mark.parametrize(
    ("domain", "status"),
    [
        ("null.test", "5.1.10"),
        ("own.test", "5.4.6"),
        ("lost.test", "5.4.4"),
        ("empty.test", "5.4.4"),
        ("nosuch.test", "5.1.2"),
    ],
)
async def test_domains_that_take_no_mail(office: Office, direct: Any, domain: str, status: str) -> None:
    async with Foreign(host="127.0.0.3").open() as far:
        await direct(far.port)
        await office.outcome(await office.mail(f"bob@{domain}"), "bounced")
        _, notice = await office.notice()
        assert notice.get_payload()[1].get_payload()[1]["Status"] == status  # type: ignore[union-attr,index]
        assert far.connections == 0


async def test_a_dns_that_does_not_answer_is_asked_again(office: Office, direct: Any) -> None:
    await direct(2)
    item = await office.deferred(await office.mail("bob@round.test"))
    assert "The DNS does not answer" in item.last_error


async def test_a_host_that_greets_with_our_name_is_ourselves(office: Office, direct: Any) -> None:
    async with Foreign(host="127.0.0.3", replies={"EHLO": "250 relay.here.test"}).open() as far:
        await direct(far.port)
        mail_id = await office.mail("bob@plain.test")
        await office.outcome(mail_id, "bounced")
        assert "come back" in (await office.steps(mail_id))[1].detail


async def test_rows_follow_the_settings(office: Office, start: Any, zone: Path) -> None:
    """What was queued for a dead host goes by the smarthost when the operator says so."""
    relay = await start(outbound="direct", dns_zone_file=zone, mx_port=1, dial_networks=HERE)
    mail_id = await office.mail("bob@far.test")
    await office.deferred(mail_id)
    await relay.drain()
    async with Foreign().open() as smarthost:
        await start(outbound="smarthost", smarthost=smarthost.route)
        assert await office.act("retry") == 1
        await office.outcome(mail_id, "relayed")
        assert smarthost.taken
