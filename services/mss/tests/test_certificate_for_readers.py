"""The certificate is renewed while somebody reads."""

import ssl
from pathlib import Path

import pytest

from barid_runtime import certificates
from barid_runtime.bus.port import Bus
from barid_testing.certificates import Authority

from .house import PASSWORD, House, Raw, open_house


@pytest.mark.parametrize("door", ["imap", "imaps"])
async def test_a_session_goes_on_and_the_next_one_sees_the_new_certificate(
    tmp_path: Path, nats_url: str, bus: Bus, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    monkeypatch.setattr(certificates, "LOOK", 0.0)
    authority = Authority(tmp_path / "ca")
    files = authority.issue("mail", "127.0.0.1")
    trusting = ssl.create_default_context(cafile=str(authority.certificate))

    async def encrypted(house: House) -> tuple[Raw, str]:
        raw = await house.raw(door, tls=trusting if door == "imaps" else None)
        if door == "imap":
            await raw.ok("STARTTLS")
            await raw.writer.start_tls(trusting, server_hostname="127.0.0.1")
        shown = raw.writer.get_extra_info("ssl_object").getpeercert()
        return raw, dict(pair[0] for pair in shown["subject"])["commonName"]

    async with open_house(
        tmp_path / "data", nats_url, bus, tls_certificate=files.certificate, tls_key=files.key
    ) as house:
        before, first = await encrypted(house)
        renewed = authority.issue("renewed", "127.0.0.1")
        renewed.certificate.replace(files.certificate)
        renewed.key.replace(files.key)
        _, second = await encrypted(house)
        await before.ok(f'LOGIN bob@here.test "{PASSWORD}"')
    assert (first, second) == ("mail", "renewed")
