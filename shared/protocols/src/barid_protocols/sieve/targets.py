"""Where a script may send a message: names of mailboxes and addresses, checked wherever they come from."""

from barid_protocols.sieve.addresses import parse_addresses
from barid_protocols.sieve.limits import MAX_ADDRESS_LENGTH, MAX_ADDRESS_TEXT, MAX_MAILBOX_LENGTH


def checked_mailbox(name: str) -> str:
    """The name. Raises ValueError with safe text; whether the store accepts it is the store's to say."""
    if not name or len(name) > MAX_MAILBOX_LENGTH:
        raise ValueError(f"a mailbox name has 1 to {MAX_MAILBOX_LENGTH} characters")
    if not name.isprintable():
        raise ValueError("a mailbox name holds no control characters")
    return name


def checked_address(text: str) -> str:
    """The bare address of `a@b` or `Name <a@b>` (RFC 5228 §2.4.2.3). Raises ValueError with safe text."""
    found = parse_addresses(text) if len(text) <= MAX_ADDRESS_TEXT and text.isprintable() else ()
    if len(found) != 1 or not found[0].local or not found[0].domain or "@" in found[0].domain:
        raise ValueError("this is not one mail address")
    spec = found[0].spec
    if len(spec) > MAX_ADDRESS_LENGTH:
        raise ValueError(f"an address has at most {MAX_ADDRESS_LENGTH} characters")
    return spec
