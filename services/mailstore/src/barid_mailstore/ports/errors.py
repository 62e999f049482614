"""Why the mailstore says no.

Refused                   the root; `code` is one of the codes of `barid_contracts.base.Problem`, `text` is safe to show
├── NotFound              no such mailbox, message, script or held mail
├── Conflict              a name that is taken
├── Invalid               a name, a flag or a request that can't be
├── OverQuota             the account has no room for a copy that its user asked for; deliveries are never refused
├── TooMany               a limit of ours, as the keywords of a mailbox
└── TooLate               not begun in time; nothing was done under this key, and nothing will be
"""


class Refused(Exception):
    """A request that can't be done, for a reason that whoever asked may know."""

    code = "invalid"

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class NotFound(Refused):
    """What was named isn't there."""

    code = "not_found"


class Conflict(Refused):
    """What was to be made is there already."""

    code = "conflict"


class Invalid(Refused):
    """What was asked makes no sense."""

    code = "invalid"


class OverQuota(Refused):
    """No room."""

    code = "over_quota"


class TooMany(Refused):
    """A limit is reached."""

    code = "limit"


class TooLate(Refused):
    """Not begun in time."""

    code = "late"
