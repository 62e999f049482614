"""What one script may cost, in one place. Every number bounds either memory or time for a hostile script."""

MAX_SCRIPT_BYTES = 256 * 1024
"""Larger than any script seen in practice (white lists of some thousand addresses); compiled in 1 s at worst."""

MAX_NESTING = 32
"""Blocks and tests inside each other. RFC 5228 §2.10.5 wants 15; Python's own stack would allow about 200."""

MAX_NUMBER = 2**31 - 1
"""RFC 5228 §2.4.1 wants at least this; larger numbers are an error rather than a wrap."""

MAX_FUEL = 100_000
"""Units of work in one run: a unit is one action, or one comparison of up to `FUEL_CHARACTERS` characters: 0.1 µs as
a rule and 3 µs at worst. So at most about 0.3 s of CPU for a hostile script; common ones burn fewer than 100 units, and
a white list of 5,000 substrings over 10 addresses still runs."""

FUEL_SHIFT = 8
FUEL_CHARACTERS = 1 << FUEL_SHIFT
"""Comparing a longer value costs one unit more per this many characters."""

KEY_SHIFT = 5
"""A longer key costs one unit more per 32 characters: `str.find` takes their product at worst."""

EXPANSION_SHIFT = 4
"""Expanding variables costs a unit per 16 characters: what follows may look at every word of them."""

MAX_QUESTIONS = 32
"""Questions asked of the host in one run. Each costs a repeated run; the n-th has an n-th of MAX_FUEL, so that all of
them together burn at most four times MAX_FUEL."""

MAX_ACTIONS = 32
"""Distinct actions of one run: each is a copy of the message somewhere."""

MAX_REDIRECTS = 4
"""Distinct addresses one message may be redirected to: an amplifier of mail must stay small (RFC 5228 §10)."""

MAX_VARIABLES = 128
"""RFC 5229 §6 wants at least 128 distinct names."""

MAX_VARIABLE_LENGTH = 4000
"""Characters; RFC 5229 §6 wants at least 4000. Longer values are cut, as §3 permits."""

MAX_STRING_LENGTH = 64 * 1024
"""Characters of one string after expansion; beyond it the run fails. Without it `${a}` written 50,000 times
would grow to 200 MB."""

MAX_MATCH_VARIABLE = 32
"""Highest `${n}`; RFC 5229 §3.2 wants at least 9."""

MAX_FLAGS = 64
"""Flags in one set."""

MAX_FLAG_LENGTH = 128
"""Characters of one IMAP keyword; longer ones are ignored as not valid."""

MAX_MAILBOX_LENGTH = 1000
"""Characters of a mailbox name in fileinto."""

MAX_ADDRESS_LENGTH = 320
"""64 + 1 + 255 octets, RFC 5321 §4.5.3.1."""

MAX_ADDRESS_TEXT = 1000
"""Characters of an address with its display name."""

VACATION_DEFAULT_DAYS = 7
VACATION_MIN_DAYS = 1
VACATION_MAX_DAYS = 90
"""RFC 5230 §4.1: a site's minimum must be at least 1, its maximum at least 7; values outside are clamped."""
