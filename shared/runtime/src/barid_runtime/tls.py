"""TLS: a self-signed certificate to start with, and the contexts of servers and clients.

Servers speak TLS 1.2 and up (RFC 8996), name no ALPN protocol (mail protocols that lack one would otherwise refuse
clients that offer `http/1.1`), and take no session tickets from before a reload.
"""

import ipaddress
import os
import ssl
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

CERTIFICATE_DAYS = 825
"""Longer-lived ones are refused by some clients even when trusted."""

CERTIFICATE = "certificate.pem"
KEY = "key.pem"


class TlsError(Exception):
    """Certificate or key can't be used; the text says which file."""


def ensure_self_signed(folder: Path, names: Sequence[str], now: float) -> tuple[Path, Path]:
    """Certificate and key in `folder`, made if there are none yet; what an operator put there is left alone.

    names: host names and addresses; the first is the subject. now: seconds since the epoch.
    """
    certificate, key = folder / CERTIFICATE, folder / KEY
    if not (certificate.exists() and key.exists()):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        certificate_text, key_text = make_self_signed(names, now)
        # The key first: a crash between the two leaves no certificate, so both are made again.
        _write(key, key_text)
        _write(certificate, certificate_text)
    return certificate, key


def _write(path: Path, content: bytes) -> None:
    new = path.with_name(path.name + ".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def make_self_signed(names: Sequence[str], now: float) -> tuple[bytes, bytes]:
    """PEM of a certificate for the names (ECDSA, P-256), and of its key."""
    # Imported here: 50 ms and some MB that only the first start needs.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    start = datetime.fromtimestamp(now, UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A day back: clients' clocks differ.
        .not_valid_before(start - timedelta(days=1))
        .not_valid_after(start + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def _alternative(name: str) -> "x509.GeneralName":  # type: ignore[name-defined] # noqa: F821 - imported when needed
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode() if not name.isascii() else name)


def listeners_pair(
    certificate: Path | None, key: Path | None, folder: Path, names: Iterable[str], now: float
) -> tuple[Path, Path]:
    """The operator's certificate and key, or a self-signed pair in `folder`. Raises TlsError."""
    if (certificate is None) != (key is None):
        raise TlsError("BARID_TLS_CERTIFICATE and BARID_TLS_KEY go together: set both, or neither")
    if certificate is None or key is None:
        return ensure_self_signed(folder, list(dict.fromkeys(names)), now)
    return certificate, key


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """For listeners. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    load_certificate(context, certificate, key)
    return context


def load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Also for a renewed one, into a context in use: new connections get it. Raises TlsError, changing nothing."""
    try:
        # Tried on a context of its own first: a key that doesn't fit would leave the live one half changed.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise TlsError(f"certificate {certificate} with key {key}: {error}") from error


def expiry_of(chain: bytes) -> float:
    """Of the first certificate in a PEM, in epoch seconds. Imports what costs 50 ms and some MB the first time."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(chain).not_valid_after_utc.timestamp()


def opportunistic_client_context() -> ssl.SSLContext:
    """Encrypts to whoever answers (RFC 7435): for MX hosts without a policy, where plain text is the alternative."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # TLS 1.2 and later, Python's own floor: what is older is no better than the clear text that it falls back to.
    return context


def verified_client_context(authorities: Path | None = None) -> ssl.SSLContext:
    """Checks chain and name. authorities: a PEM file to trust instead of the system's."""
    context = ssl.create_default_context(cafile=str(authorities) if authorities is not None else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
