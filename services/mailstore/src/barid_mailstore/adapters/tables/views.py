"""What readers ask: columns of a mailbox, summaries of messages, and messages by their subject or sender."""

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from barid_contracts.store import FindReply, FindRequest, Found, ViewReply, ViewRequest
from barid_runtime.database.port import Cursor, Dialect, Row, Value

from ...policy.columns import uid_column, wide_column
from ...policy.finding import Wanted
from ...policy.names import known_name
from ...ports.errors import NotFound
from .index import Index
from .mailboxes import ACCOUNT, INFO_COLUMNS, info_of

MOST_VIEW_ROWS = 100_000
"""Rows of one chunk: 2.7 MB on the bus."""

HEAVY_ROWS = 2_000
"""Above this a view is read in a thread: 1 ms of the loop."""

REPLY_CHARACTERS = 700_000
"""Of one reply of summaries: below the bus's usual message, above what a client reads at a time."""

MOST_SUMMARIES = 2_000
"""Rows of one reply: bounds the time of the loop (5 ms) when they are small."""

MOST_LOOKED_AT = 20_000
"""Messages of a mailbox that a search by text looks at, newest first."""

_INFO = f"SELECT {INFO_COLUMNS}, m.keywords, m.forgotten FROM mailbox m WHERE m.account = {ACCOUNT} AND m.id = ?"  # noqa: S608
_VIEW = "SELECT uid, flags, modseq FROM message WHERE mailbox = ? AND uid > ? ORDER BY uid LIMIT ?"
_VIEW_SINCE = "SELECT uid, flags, modseq FROM message WHERE mailbox = ? AND uid > ? AND modseq > ? ORDER BY uid LIMIT ?"

_FIELDS = {
    "size": "'size', m.size",
    "date": "'date', m.internaldate",
    "envelope": "'envelope', b.envelope",
    "structure": "'structure', b.structure",
    "mail_id": "'mail_id', b.mail_id",
    "headers": "'headers', m.prefix || b.trace || b.headers, 'headers_cut', {headers_cut}",
    "body": "'prefix', m.prefix || b.trace, 'parts', b.parts, 'mail_id', b.mail_id,"
    " 'ref', {object}('pack', p.name, 'offset', b.\"offset\", 'head', b.head, 'size', b.size)",
}
"""The fields of a Summary as arguments of json_object: the database writes the JSON, SQLite in 2 µs a row instead of 11
with models."""

_JSON: dict[Dialect, dict[str, str]] = {
    "sqlite": {
        "object": "json_object",
        "headers_cut": "json(CASE b.headers_cut WHEN 0 THEN 'false' ELSE 'true' END)",
        "uids": "(SELECT value FROM json_each(?))",
    },
    "postgres": {
        "object": "json_build_object",
        "headers_cut": "b.headers_cut",
        "uids": "(SELECT unnest(?::bigint[]))",
    },
}


def _owned(cursor: Cursor, account: str, mailbox: int) -> Row:
    row = cursor.one(_INFO, (account, mailbox))
    if row is None or not row[10]:
        raise NotFound("No such mailbox")
    return row


def _view(cursor: Cursor, request: ViewRequest) -> ViewReply:
    info = _owned(cursor, request.account, request.mailbox)
    limit = max(1, min(request.limit, MOST_VIEW_ROWS))
    parameters: tuple[Value, ...]
    if request.since_modseq > 0:
        sql, parameters = _VIEW_SINCE, (request.mailbox, request.after_uid, request.since_modseq, limit + 1)
    else:
        sql, parameters = _VIEW, (request.mailbox, request.after_uid, limit + 1)
    rows = [] if request.expunged_only else cursor.all(sql, parameters)
    more = len(rows) > limit
    if more:
        rows.pop()
    uids, flags, modseqs = zip(*rows, strict=True) if rows else ((), (), ())
    expunged: list[int] = []
    if request.since_modseq > 0 and request.after_uid == 0:
        expunged = [
            row[0]
            for row in cursor.execute(
                "SELECT uid FROM tombstone WHERE mailbox = ? AND modseq > ?", (request.mailbox, request.since_modseq)
            )
        ]
    return ViewReply(
        info=info_of(info),
        uids=uid_column(uids),
        flags=wide_column(flags),
        modseqs=wide_column(modseqs),
        expunged=uid_column(expunged),
        forgotten=info[13],
        keywords=json.loads(info[12]),
        more=more,
    )


def _summaries_sql(fields: Sequence[str], dialect: Dialect) -> str:
    """One row a message: UID, Summary as JSON. Fields that don't exist are left out."""
    asked = set(fields) - {"mail_id"} if "body" in fields else set(fields)
    chosen = [_FIELDS[field] for field in sorted(asked) if field in _FIELDS]
    needs = ", ".join(["'uid', m.uid", *chosen])
    joins = ""
    if "b." in needs:
        joins = " JOIN body b ON b.id = m.body"
    if "p.name" in needs:
        joins += " JOIN pack p ON p.id = b.pack"
    return (
        # All parts come from the table above.
        f"SELECT m.uid, {{object}}({needs}) FROM message m{joins}"  # noqa: S608
        " WHERE m.mailbox = ? AND m.uid IN {uids} ORDER BY m.uid"
    ).format(**_JSON[dialect])


class TableViews:
    def __init__(self, index: Index) -> None:
        self._index = index

    async def view(self, request: ViewRequest) -> ViewReply:
        # Whether the mailbox is large is not known before; a full view of a small one would only pay the hand-over.
        heavy = await self._index.read(lambda cursor: self._messages(cursor, request)) > HEAVY_ROWS
        return await self._index.read(lambda cursor: _view(cursor, request), heavy=heavy)

    @staticmethod
    def _messages(cursor: Cursor, request: ViewRequest) -> int:
        row = cursor.one("SELECT messages FROM mailbox WHERE id = ?", (request.mailbox,))
        return min(row[0], request.limit) if row is not None else 0

    async def summaries(self, account: str, mailbox: int, uids: list[int], fields: list[str]) -> bytes:
        wanted = sorted(set(uids))

        def work(cursor: Cursor) -> bytes:
            _owned(cursor, account, mailbox)
            rows: list[str] = []
            more = wanted[MOST_SUMMARIES:]
            total = 0
            asked = wanted[:MOST_SUMMARIES]
            parameters: Any = (mailbox, asked if cursor.dialect == "postgres" else json.dumps(asked))
            for uid, text in cursor.execute(_summaries_sql(fields, cursor.dialect), parameters):
                rows.append(text)
                total += len(text)
                if total >= REPLY_CHARACTERS:
                    more = wanted[bisect_right(wanted, uid) :]
                    break
            return f'{{"rows":[{",".join(rows)}],"more":{json.dumps(more)}}}'.encode()

        return await self._index.read(work)

    async def find(self, request: FindRequest) -> FindReply:
        wanted = Wanted(request.subject, request.sender, request.message_id)
        limit = max(1, min(request.limit, 1000))

        boxes = await self._index.read(lambda cursor: _boxes(cursor, request))

        def work(cursor: Cursor) -> FindReply:
            found: list[tuple[str, Found]] = []
            for mailbox_id, name, _ in boxes:
                found += _found_in(cursor, mailbox_id, name, wanted, request.since, limit)
            found.sort(key=lambda item: item[0], reverse=True)
            return FindReply(found=[item for _, item in found[:limit]])

        return await self._index.read(work, heavy=sum(messages for _, _, messages in boxes) > HEAVY_ROWS)


def _boxes(cursor: Cursor, request: FindRequest) -> list[Row]:
    """(id, name, messages) of those to look at."""
    conditions, parameters = "", [request.account]
    if request.mailbox is not None:
        conditions = " AND m.name = ?"
        parameters.append(known_name(request.mailbox))
    return cursor.all(
        f"SELECT m.id, m.name, m.messages FROM mailbox m WHERE m.account = {ACCOUNT} AND m.messages > 0{conditions}",  # noqa: S608
        parameters,
    )


_FROM = re.compile(r"^from:((?:.*\r?\n)(?:[ \t].*\r?\n)*)", re.IGNORECASE | re.MULTILINE)


def _found_in(
    cursor: Cursor, mailbox_id: int, name: str, wanted: Wanted, since: int, limit: int
) -> list[tuple[str, Found]]:
    """(our id of the mail, message): these rise with time, so they order what several mailboxes hold."""
    headers = "b.headers" if wanted.sender is not None else "''"
    rows = cursor.execute(
        f"SELECT m.uid, b.mail_id, b.subject, b.message_id, m.size, m.internaldate, b.reverse_path, {headers}"  # noqa: S608
        " FROM message m JOIN body b ON b.id = m.body WHERE m.mailbox = ? ORDER BY m.uid DESC LIMIT ?",
        (mailbox_id, MOST_LOOKED_AT),
    )
    found: list[tuple[str, Found]] = []
    for uid, mail_id, subject, message_id, size, date, reverse_path, block in rows:
        if date < since:
            continue
        sender = reverse_path
        if wanted.sender is not None and (match := _FROM.search(block)) is not None:
            sender += "\n" + match[1]
        if wanted.matches(subject, sender, message_id):
            found.append(
                (
                    mail_id,
                    Found(
                        mailbox=name,
                        mailbox_id=mailbox_id,
                        uid=uid,
                        mail_id=mail_id,
                        subject=subject,
                        message_id=message_id,
                        size=size,
                        date=date,
                    ),
                )
            )
            if len(found) >= limit:
                break
    return found
