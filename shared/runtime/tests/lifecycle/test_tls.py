"""TLS: the first certificate, contexts, renewal."""

import asyncio
import ssl
import time
from pathlib import Path

import pytest

from barid_runtime import tls


async def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> dict[str, object]:
    """The certificate that the client saw."""

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(on_connection, "127.0.0.1", 0, ssl=server)
    try:
        port = listener.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=name)
        seen = writer.get_extra_info("ssl_object")
        found = {"version": seen.version(), "certificate": seen.getpeercert(binary_form=True)}
        writer.close()
        await writer.wait_closed()
        return found
    finally:
        listener.close()
        await listener.wait_closed()


async def test_made_once_and_good_for_its_names(tmp_path: Path) -> None:
    certificate, key = tls.ensure_self_signed(tmp_path / "tls", ["mail.example.org", "127.0.0.1"], time.time())
    first = certificate.read_bytes()
    assert (key.stat().st_mode & 0o077) == 0
    tls.ensure_self_signed(tmp_path / "tls", ["other.example.org"], time.time())
    assert certificate.read_bytes() == first

    server = tls.server_context(certificate, key)
    trusting = tls.verified_client_context(certificate)
    assert (await handshake(server, trusting, "mail.example.org"))["version"] == "TLSv1.3"
    await handshake(server, trusting, "127.0.0.1")
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(server, trusting, "evil.example.org")
    with pytest.raises(ssl.SSLCertVerificationError):
        await handshake(server, tls.verified_client_context(), "mail.example.org")
    await handshake(server, tls.opportunistic_client_context(), "whoever.example.net")


async def test_old_versions_are_refused(tmp_path: Path) -> None:
    server = tls.server_context(*tls.ensure_self_signed(tmp_path, ["localhost"], time.time()))
    assert server.minimum_version == ssl.TLSVersion.TLSv1_2


async def test_a_renewed_certificate_is_taken_without_a_restart(tmp_path: Path) -> None:
    certificate, key = tls.ensure_self_signed(tmp_path, ["localhost"], time.time())
    server, client = tls.server_context(certificate, key), tls.opportunistic_client_context()
    before = await handshake(server, client, "localhost")
    new_certificate, new_key = tls.make_self_signed(["localhost"], time.time())
    certificate.write_bytes(new_certificate)
    with pytest.raises(tls.TlsError):
        tls.load_certificate(server, certificate, key)
    assert (await handshake(server, client, "localhost"))["certificate"] == before["certificate"]
    key.write_bytes(new_key)
    tls.load_certificate(server, certificate, key)
    assert (await handshake(server, client, "localhost"))["certificate"] != before["certificate"]


def test_what_can_not_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("nonsense")
    with pytest.raises(tls.TlsError, match=r"c\.pem"):
        tls.server_context(tmp_path / "c.pem", tmp_path / "missing.pem")
