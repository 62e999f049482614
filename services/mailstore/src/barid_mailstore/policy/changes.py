"""The events that tell what a commit changed."""

from binascii import b2a_base64
from functools import lru_cache
from json import dumps
from json.encoder import encode_basestring_ascii

from ..ports.commits import AccountDelta, MailboxDelta
from .columns import uid_column, wide_column

MAX_EVENT_ROWS = 50_000
"""Rows of a change that travel (1.3 MB). A larger one is told as a gap, so that readers ask for the view."""


# Most changes are one new message, and the columns of one value are the same few over and over (flags 0, MODSEQs of
# quiet mailboxes): remembering them halves the price of an event.


@lru_cache(maxsize=8192)
def _one_uid(value: int) -> str:
    return b2a_base64(uid_column([value]), newline=False).decode()


@lru_cache(maxsize=8192)
def _one_wide(value: int) -> str:
    return b2a_base64(wide_column([value]), newline=False).decode()


def _uids(values: list[int]) -> str:
    if len(values) == 1:
        return _one_uid(values[0])
    return b2a_base64(uid_column(values), newline=False).decode()


def _wide(values: list[int]) -> str:
    if len(values) == 1:
        return _one_wide(values[0])
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
    return f'{{"account":{encode_basestring_ascii(delta.account)},"changes":[{changes}]{names}}}'.encode()
