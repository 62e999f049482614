"""Base64 as SASL profiles carry it: strict, so that one response has exactly one spelling."""

import binascii

from barid_protocols.sasl.errors import SaslCancelled, SaslError

MAX_RESPONSE = 12_288
"""Octets of one base64 response line, the length RFC 4954 §4 asks servers to take (Kerberos tickets and tokens)."""


def encode_base64(data: bytes) -> bytes:
    """One line, padded, without line end."""
    return binascii.b2a_base64(data, newline=False)


def decode_base64(line: bytes) -> bytes:
    """Strict: no white space, no foreign characters, right padding (RFC 4648 §3.3, §3.5). Raises ``SaslError``."""
    if len(line) > MAX_RESPONSE:
        raise SaslError("response too long")
    try:
        data = binascii.a2b_base64(line, strict_mode=True)
    except binascii.Error as error:
        raise SaslError("response is not base64") from error
    # Unused low bits may be anything to the decoder; a second spelling of one password helps only an attacker.
    if binascii.b2a_base64(data, newline=False) != line:
        raise SaslError("response is not base64")
    return data


def decode_response(line: bytes) -> bytes:
    """A response line without its line end. ``*`` raises ``SaslCancelled``."""
    if line == b"*":
        raise SaslCancelled
    return decode_base64(line)


def decode_initial_response(argument: bytes) -> bytes:
    """The argument after the mechanism's name: ``=`` stands for an empty response (RFC 4954 §4, RFC 4959 §3)."""
    return b"" if argument == b"=" else decode_base64(argument)
