"""Where a statement can't be the same in SQLite and in PostgreSQL: words that are filled in, once, at import.

| word | what it stands for |
|---|---|
| `{now}` | the database's time, epoch ms. Leases are kept by it: many processes share them, and it has one clock |
| `{lock}` | rows of a SELECT are ours until the transaction ends; whoever else wants them waits. A file has one owner |
| `{free}` | the same, and rows that another has locked are left out |
| `{each}` | a table with the column `value`, of what is in the JSON array `?1` |
| `{find}` | the place of one text in another, from 1; 0: it isn't there |
"""

from barid_runtime.database.port import Cursor, Dialect

_WORDS: dict[Dialect, dict[str, str]] = {
    "sqlite": {
        "{now}": "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        "{lock}": "",
        "{free}": "",
        "{each}": "json_each(?1)",
        "{find}": "instr",
    },
    "postgres": {
        # Not now(), which is the transaction's beginning: others' works may have taken a while since.
        "{now}": "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)",
        "{lock}": "FOR UPDATE",
        "{free}": "FOR UPDATE SKIP LOCKED",
        "{each}": "json_array_elements_text(CAST(?1 AS JSON))",
        "{find}": "strpos",
    },
}


def in_dialects(text: str) -> dict[Dialect, str]:
    """The statement in each dialect: `cursor.execute(STATEMENT[cursor.dialect], …)`."""
    made: dict[Dialect, str] = {}
    for dialect, words in _WORDS.items():
        statement = text
        for word, meaning in words.items():
            statement = statement.replace(word, meaning)
        made[dialect] = statement
    return made


def storable(text: str) -> str:
    """As PostgreSQL can hold it. A NUL comes with the words of a host, or in a header, and says nothing there."""
    return text.replace("\0", "") if "\0" in text else text


_CAPTURES = "SELECT pg_advisory_xact_lock(hashtext(current_schema()), 1)"


def lock_captures(cursor: Cursor) -> None:
    """Captured mail is read in the order of its numbers, from where a reader was before; so the numbers must become
    visible in that order, which a sequence shared by several relays does not promise."""
    if cursor.dialect == "postgres":
        cursor.execute(_CAPTURES)
