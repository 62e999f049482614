"""The mailbox that a session has selected: its lease of a view, and the snapshot that it has announced."""

from collections.abc import Set as AbstractSet
from typing import Protocol

from barid_protocols.imap.selected import SelectedMailbox

from ..views.shelf import Lease
from ..views.summaries import MailboxKey
from ..views.view import MailboxView


class Audience(Protocol):
    """The session, as its selection sees it. Neither waits nor raises."""

    def has_news(self) -> None: ...

    def mailbox_gone(self) -> None: ...


class Selection:
    r"""Implements views.view.Watcher.

    \Recent: the first session that selects a mailbox read-write owns it, for what is new since the last owner left and
    for what comes while it stays; others are told of none. After a start of the process all counts as new, as RFC 3501
    §2.3.2 asks of those who can't know.
    """

    def __init__(
        self, lease: Lease, audience: Audience, *, read_only: bool, condstore: bool, enabled: AbstractSet[bytes]
    ) -> None:
        view = lease.view
        recent_from: int | None = None
        if view.recent_owner is None and b"IMAP4REV2" not in enabled:
            recent_from = 1 if view.recent_from is None else view.recent_from
            if not read_only:
                view.recent_owner = self
        self._lease = lease
        self._audience = audience
        self.view: MailboxView = view
        self.read_only = read_only
        self.selected = SelectedMailbox(
            view.columns,
            view.flags.table,
            highest_modseq=view.modseq,
            recent_from=recent_from,
            read_only=read_only,
            condstore=condstore,
            enabled=enabled,
        )
        lease.watch(self)

    @property
    def key(self) -> MailboxKey:
        return MailboxKey(self.view.account, self.view.id, self.view.uidvalidity)

    def has_flag(self, bit: int) -> bool:
        """Whether any message of the view, announced or not, has this system flag."""
        mask = self.view.flags.table.mask
        return any(mask(code) & bit for code in set(self.view.rows.codes))

    def news(self) -> None:
        self._audience.has_news()

    def gone(self) -> None:
        self._audience.mailbox_gone()

    def close(self) -> None:
        self._lease.close()
