"""The certificate is renewed while clients are connected."""

from pathlib import Path

import pytest

from barid_runtime import certificates
from barid_testing.certificates import Authority

from .ingress_rig import Client, Rig


def shown(client: Client) -> str:
    return repr(client.writer.get_extra_info("ssl_object").getpeercert(binary_form=True))


@pytest.mark.parametrize("door", ["smtp", "submissions"])
async def test_a_new_session_sees_the_new_certificate_and_an_old_one_goes_on(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    monkeypatch.setattr(certificates, "LOOK", 0.0)
    authority = Authority(tmp_path / "ca")
    files = authority.issue("mx", "127.0.0.1")
    await rig.start(tls_certificate=files.certificate, tls_key=files.key)

    async def encrypted() -> Client:
        client = await rig.connect(door, tls=door == "submissions")
        assert (await client.reply()).startswith("220")
        if door == "smtp":
            assert (await client.ask("EHLO there.test")).startswith("250")
            assert (await client.ask("STARTTLS")).startswith("220")
            await client.start_tls()
        return client

    before = await encrypted()
    renewed = authority.issue("renewed", "127.0.0.1")
    renewed.certificate.replace(files.certificate)
    renewed.key.replace(files.key)
    after = await encrypted()

    assert shown(after) != shown(before)
    assert shown(await encrypted()) == shown(after)
    assert (await before.ask("EHLO there.test")).startswith("250")
    assert (await before.ask("NOOP")).startswith("250")
