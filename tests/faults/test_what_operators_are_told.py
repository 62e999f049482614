"""While a process stands still, an operator is told so, and what becomes of mail meanwhile."""

import smtplib

from barid_testing.mail_system import MailSystem

from .letters import soon
from .processes import standing_still


def states(system: MailSystem) -> dict[str, str]:
    return {service["name"]: service["state"] for service in system.api.get("/v1/status")["services"]}


def test_delivery_stands_still(system: MailSystem) -> None:
    reader = system.account()
    assert soon(lambda: set(states(system).values()) == {"up"})
    with standing_still(system, "mda"):
        with smtplib.SMTP(*system.smtp) as client:
            client.ehlo()
            client.mail("ann@far.test")
            client.rcpt(reader.address)
            code, text = client.data(b"Subject: on its way\r\nMessage-ID: <way@far.test>\r\n\r\nhello\r\n")
        assert code == 250
        mail_id = text.decode().split()[-1]
        for mail in (mail_id, "<way@far.test>"):
            steps = [(step["what"], step["address"], step["detail"]) for step in system.trace(mail)]
            assert steps == [
                ("accepted", "", "from <ann@far.test>, subject 'on its way'"),
                ("waiting", reader.address, "for delivery"),
            ]
        told = system.api.get("/v1/status")
        assert told["state"] == "degraded"
        mda = next(service for service in told["services"] if service["name"] == "mda")
        assert (mda["state"], mda["detail"]) == ("down", "silent: no answer within 1 s")
        assert all(state == "up" for name, state in states(system).items() if name != "mda")
    assert soon(lambda: [step["what"] for step in system.trace(mail_id)] == ["accepted", "filed"])
    assert soon(lambda: set(states(system).values()) == {"up"})
