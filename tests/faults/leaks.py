"""Whether a secret can be read where it has no business."""

import base64
from collections.abc import Iterable


def assert_tells_none(text: str, secrets: Iterable[str]) -> None:
    for secret in secrets:
        for form in _forms(secret):
            assert form not in text, (form, _around(text, form))


def _forms(secret: str) -> list[str]:
    """As it is, and in base64 at each of the three ways that it may be cut."""
    found = [secret]
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret.encode() + b"\0" * 3).decode()
        found.append(encoded[4 : len(secret) * 4 // 3 - 4])
    return found


def _around(text: str, form: str) -> str:
    at = text.index(form)
    return text[max(at - 300, 0) : at + 100]
