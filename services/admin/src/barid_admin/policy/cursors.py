"""Opaque cursors: where the next page of a listing begins, in a form that nobody is tempted to build.

They are not signed: what they hold is the last key that the client has seen, and any key is as good to begin after.
"""

import base64
import binascii

CURSOR_MOST = 1024
"""Characters: a key is an address, a domain or an obligation's name."""


def encode(listing: str, key: str) -> str:
    """listing: the name of what is listed; a cursor of one listing is refused by another."""
    return base64.urlsafe_b64encode(f"{listing}:{key}".encode()).decode().rstrip("=")


def decode(listing: str, cursor: str) -> str:
    """The key. Raises ValueError for what `encode` did not make for this listing."""
    if len(cursor) > CURSOR_MOST:
        raise ValueError("too long for a cursor")
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (UnicodeError, binascii.Error):
        raise ValueError("not a cursor") from None
    name, colon, key = text.partition(":")
    if not colon or name != listing:
        raise ValueError("not a cursor of this listing")
    return key
