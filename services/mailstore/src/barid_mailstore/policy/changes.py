"""The events that tell what a commit changed."""

from binascii import b2a_base64
from json import dumps

from ..ports.commits import AccountDelta, MailboxDelta
from .columns import uid_column, wide_column

MAX_EVENT_ROWS = 50_000
"""Rows of a change that travel (1.3 MB). A larger one is told as a gap, so that readers ask for the view."""


def _uids(values: list[int]) -> str:
    return b2a_base64(uid_column(values), newline=False).decode()


def _wide(values: list[int]) -> str:
    return b2a_base64(wide_column(values), newline=False).decode()


def _change(delta: MailboxDelta) -> str:
    rows = len(delta.added) + len(delta.changed) + len(delta.expunged)
    if rows > MAX_EVENT_ROWS:
        return f'{{"mailbox":{delta.mailbox},"previous":{delta.modseq},"modseq":{delta.modseq}}}'
    text = f'{{"mailbox":{delta.mailbox},"previous":{delta.previous},"modseq":{delta.modseq}'
    if delta.added:
        modseqs = _wide([delta.modseq] * len(delta.added))
        text += (
            f',"added":"{_uids(delta.added)}","added_flags":"{_wide(delta.added_flags)}","added_modseqs":"{modseqs}"'
        )
    if delta.changed:
        modseqs = _wide([delta.modseq] * len(delta.changed))
        text += (
            f',"changed":"{_uids(delta.changed)}","changed_flags":"{_wide(delta.changed_flags)}"'
            f',"changed_modseqs":"{modseqs}"'
        )
    if delta.expunged:
        text += f',"expunged":"{_uids(delta.expunged)}"'
    if delta.keywords is not None:
        text += f',"keywords":{dumps(delta.keywords)}'
    if delta.gone:
        text += ',"gone":true'
    return text + "}"


def account_changed(delta: AccountDelta) -> bytes:
    """The JSON of an AccountChanged, by hand: one a message at light load, and pydantic costs three times as much."""
    changes = ",".join([_change(change) for change in delta.mailboxes.values()])
    names = ',"mailboxes":true' if delta.names else ""
    return f'{{"account":{dumps(delta.account)},"changes":[{changes}]{names}}}'.encode()
