"""Bodies that turned out to be unreadable while they were sent.

Once the octets of a literal are promised nothing but octets can follow, so a large body that breaks in the middle costs
its connection. It is remembered, and the next who asks is told at once; to read every large body twice, once to see
whether it is sound, would cost everybody.
"""

from collections import OrderedDict

from barid_runtime.journal.port import BodyCorrupt

MAX_REMEMBERED = 1_000


class Unreadable:
    def __init__(self) -> None:
        self._mail_ids: OrderedDict[str, None] = OrderedDict()

    def add(self, mail_id: str) -> None:
        self._mail_ids[mail_id] = None
        if len(self._mail_ids) > MAX_REMEMBERED:
            self._mail_ids.popitem(last=False)

    def __contains__(self, mail_id: str) -> bool:
        return mail_id in self._mail_ids

    def check(self, mail_id: str) -> None:
        """Raises BodyCorrupt for one that was found unreadable."""
        if mail_id in self._mail_ids:
            raise BodyCorrupt("it broke off when it was read before")
