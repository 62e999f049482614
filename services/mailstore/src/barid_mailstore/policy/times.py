"""Times in ids of mails (`barid_contracts.base.MailId`): their first ten characters are epoch ms in base 32."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def time_prefix(ms: int) -> str:
    """The first ten characters of the ids of this time: ids of earlier times sort before it."""
    return "".join([_ALPHABET[max(ms, 0) >> shift & 31] for shift in range(45, -1, -5)])
