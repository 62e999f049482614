"""How an obligation is proposed to end, and its text in a SettleRequest.

The text is written by hand: 2 µs for the common settlement against 8 for a validated model, 14 for a constructed one.
A test holds it to `barid_contracts.settle.Settlement`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Literal

from barid_contracts.settle import Child, VacationMemory

Outcome = Literal["filed", "redirected", "discarded", "held", "bounced"]


@dataclass(frozen=True, slots=True)
class Filing:
    """See barid_contracts.settle.Filing."""

    mailbox: str
    flags: tuple[str, ...] = ()
    create: bool = False
    detail: bool = False


@dataclass(slots=True)
class Proposal:
    """See barid_contracts.settle.Settlement. A mail `filed` without filings goes to INBOX.

    fault: how the account's script failed; for the log, not part of the text. Not frozen, for that costs 1.5 µs.
    """

    mail_id: str
    n: int
    account: str
    outcome: Outcome
    delivered_to: str
    filings: Sequence[Filing] = ()
    children: Sequence[Child] = ()
    vacation: VacationMemory | None = None
    script: str = ""
    reason: str = ""
    rules: Sequence[str] = ()
    fault: str = ""

    def text(self) -> str:
        """As JSON."""
        text = (
            f'{{"mail_id":"{self.mail_id}","n":{self.n},"account":{_quoted(self.account)},'
            f'"outcome":"{self.outcome}","delivered_to":{_quoted(self.delivered_to)},"script":{_quoted(self.script)}'
        )
        if self.filings:
            text += f',"filings":[{",".join([_filing(filing) for filing in self.filings])}]'
        if self.children:
            text += f',"children":[{",".join([child.model_dump_json() for child in self.children])}]'
        if self.vacation is not None:
            text += f',"vacation":{self.vacation.model_dump_json()}'
        if self.reason:
            text += f',"reason":{_quoted(self.reason)}'
        if self.rules:
            text += f',"rules":{_strings(self.rules)}'
        return text + "}"


def _filing(filing: Filing) -> str:
    flags = f',"flags":{_strings(filing.flags)}' if filing.flags else ""
    create = ',"create":true' if filing.create else ""
    detail = ',"detail":true' if filing.detail else ""
    return f'{{"mailbox":{_quoted(filing.mailbox)}{flags}{create}{detail}}}'


def _strings(texts: Iterable[str]) -> str:
    return f"[{','.join([_quoted(text) for text in texts])}]"


def _quoted(text: str) -> str:
    """A JSON string. Lone surrogates, which no reader of UTF-8 takes, become question marks."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return encode_basestring_ascii(text)


_HEAD, _TAIL = b'{"mails":[', b"]}"


def joined(batches: Sequence[bytes]) -> bytes | None:
    """Texts of AcceptedBatch as one, by their bytes alone; None if one of them is not written in the usual way."""
    if len(batches) == 1:
        return batches[0]
    inner = []
    for batch in batches:
        if not batch.startswith(_HEAD) or not batch.endswith(_TAIL):
            return None
        inner.append(batch[len(_HEAD) : -len(_TAIL)])
    return _HEAD + b",".join([mails for mails in inner if mails]) + _TAIL


def settle_request(accepted: bytes, settlements: Sequence[str]) -> bytes:
    """The text of a SettleRequest: the batch as it came, the settlements behind."""
    return b'{"accepted":' + accepted + b',"settlements":[' + ",".join(settlements).encode() + b"]}"
