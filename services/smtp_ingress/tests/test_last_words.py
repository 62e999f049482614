"""A limit that ends a session is told by one 421, however much was pipelined behind it (RFC 5321 §3.8)."""

import pytest

from barid_smtp_ingress.handlers import conversation

from .ingress_rig import Rig

UNKNOWN = "".join(f"RCPT TO:<nobody{number}@here.test>\r\n" for number in range(250))


@pytest.mark.parametrize(("door", "hello"), [("smtp", "EHLO"), ("lmtp", "LHLO")])
@pytest.mark.parametrize("most", [100, 130])
async def test_unknown_recipients(
    served: Rig, monkeypatch: pytest.MonkeyPatch, door: str, hello: str, most: int
) -> None:
    """The limit falls between two groups of recipients, and into one."""
    monkeypatch.setattr(conversation, "MAX_UNKNOWN", most)
    client = await served.connect(door)
    await client.reply()
    client.send(f"{hello} client.test\r\nMAIL FROM:<sender@there.test>\r\n{UNKNOWN}DATA\r\nQUIT\r\n")
    answers = (await client.rest()).decode().splitlines()
    last = [line[:9] for line in answers if not line.startswith("250")]
    assert last == ["550 5.1.1"] * most + ["421 4.7.0"]
    await served.nobody_connected()


async def test_failed_log_ins(rig: Rig) -> None:
    await rig.start(allow_plaintext=True)
    client = await rig.greeted("submission")
    client.send("AUTH PLAIN AGFubmFAaGVyZS50ZXN0AHdyb25n\r\n" * 6 + "NOOP\r\nQUIT\r\n")
    answers = (await client.rest()).decode().splitlines()
    assert [line[:9] for line in answers] == ["535 5.7.8"] * 3 + ["421 4.7.0"]
