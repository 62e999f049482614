"""What the words of other hosts mean for a recipient (RFC 5321 §4.2.1, §4.5.3.1.10, §6; RFC 7504)."""

from collections.abc import Sequence

from barid_protocols.smtp import Reply

from ..ports.hosts import Answer, Fate

MOST_REPLY = 500
"""Characters kept of a host's words: in the queue, the ledger and the report."""

_NO_MAIL_HERE = frozenset({521, 556})
"""RFC 7504: a host that never takes mail. Other refusals at the greeting or EHLO are often meant for us at this moment
(load, a block list), so they are tried again."""


_NOT_LET_IN = frozenset({530, 534, 535, 538})
"""RFC 4954 §6, RFC 3207 §4: log in first, otherwise, or with TLS. From a host that the operator named it is about the
operator's settings, which can be mended while the mail waits."""


def words(reply: Reply) -> str:
    return str(reply)[:MOST_REPLY]


def of_recipient(host: str, reply: Reply, *, named: bool = False) -> Answer:
    """The reply to RCPT, or to the whole transaction. named: by the operator, not by the DNS."""
    if reply.positive:
        return Answer(Fate.RELAYED, reply.enhanced or "2.0.0", host, words(reply))
    if named and reply.code in _NOT_LET_IN:
        return Answer(Fate.DEFERRED, "4.7.0", host, words(reply))
    if reply.permanent and not _means_too_many(reply):
        return Answer(Fate.BOUNCED, reply.enhanced or "5.0.0", host, words(reply))
    return Answer(Fate.DEFERRED, _transient(reply), host, words(reply))


def of_opening(host: str, reply: Reply, *, final: bool) -> Answer:
    """The reply to the connection, EHLO, STARTTLS or AUTH: nothing has been said about any recipient yet.

    final: a host that never takes mail is believed; else it is the operator's to mend that we were sent there.
    """
    if final and reply.code in _NO_MAIL_HERE:
        return Answer(Fate.BOUNCED, reply.enhanced or "5.3.2", host, words(reply))
    return Answer(Fate.DEFERRED, _transient(reply), host, words(reply))


def of_loss(host: str, reason: str, reply: Reply | None, *, named: bool = False) -> Answer:
    """The connection ended within a transaction: the host's last word if it had one, else ours."""
    if reply is not None and not reply.positive:
        return of_recipient(host, reply, named=named)
    return Answer(Fate.DEFERRED, "4.4.2", host, reason=reason)


def after_envelope(host: str, replies: Sequence[Reply], *, named: bool = False) -> list[Answer]:
    """The replies to RCPT. Who was refused only because others were taken may come again at once."""
    taken = any(reply.positive for reply in replies)
    answers = []
    for reply in replies:
        answer = of_recipient(host, reply, named=named)
        if taken and _means_too_many(reply):
            answer = Answer(answer.fate, answer.status, host, answer.reply, again=True)
        answers.append(answer)
    return answers


def _means_too_many(reply: Reply) -> bool:
    """452, and the 552 of old servers (RFC 5321 §4.5.3.1.10) unless it says that it means something else."""
    return reply.code == 452 or (reply.code == 552 and reply.enhanced == "5.5.3")


def _transient(reply: Reply) -> str:
    return reply.enhanced if reply.enhanced.startswith("4.") else "4.0.0"
