"""What one script may cost, in one place. Every number bounds either memory or time for a hostile script."""

MAX_SCRIPT_BYTES = 256 * 1024
"""Larger than any script seen in practice (white lists of some thousand addresses); compiled in under 1 s."""

MAX_NESTING = 32
"""Blocks and tests inside each other. RFC 5228 §2.10.5 wants 15; Python's own stack would allow about 200."""

MAX_NUMBER = 2**31 - 1
"""RFC 5228 §2.4.1 wants at least this; larger numbers are an error rather than a wrap."""

MAX_FUEL = 200_000
"""Units of work in one run: a unit is one action, or one comparison of up to `FUEL_CHARACTERS` characters.
At most 0.2 s of CPU on a slow core; common scripts burn fewer than 100."""

FUEL_SHIFT = 8
FUEL_CHARACTERS = 1 << FUEL_SHIFT
"""Comparing a longer value costs one unit more per this many characters."""

MAX_QUESTIONS = 32
"""Questions asked of the host in one run. Each costs a repeated run, so this also bounds the whole at
`MAX_QUESTIONS * MAX_FUEL`."""

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

VACATION_DEFAULT_DAYS = 7
VACATION_MIN_DAYS = 1
VACATION_MAX_DAYS = 90
"""RFC 5230 §4.1: a site's minimum must be at least 1, its maximum at least 7; values outside are clamped."""
