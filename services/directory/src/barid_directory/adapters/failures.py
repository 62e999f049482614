"""Failed log-ins in a table, in statements that SQLite and PostgreSQL both take.

A log-in that is right costs one look by primary key; rows are written for failures only, each of which has cost a
hashing. Several replicas count into the same row: it is made and locked by the first statement, so none overwrites
what another has counted.
"""

from collections.abc import Callable, Iterable, Mapping

from barid_runtime.database.port import Cursor, Database

from ..policy.guessing import worthless_at
from ..ports import ALL_LOGINS, Banned, Subject, Tally

_LOCK = (
    "INSERT INTO failure (network, login, score, at, bans, until, worthless) VALUES (?, ?, 0, 0, 0, 0, 0) "
    "ON CONFLICT (network, login) DO UPDATE SET bans = failure.bans RETURNING score, at, bans, until"
)


class FailureTable:
    """Implements ports.Failures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def look(self, subjects: Iterable[Subject]) -> dict[Subject, Tally]:
        wanted = list(subjects)
        networks = sorted({each.network for each in wanted})
        logins = sorted({each.login for each in wanted})
        sql = (
            "SELECT network, login, score, at, bans, until FROM failure "  # noqa: S608 - question marks
            f"WHERE network IN ({_marks(networks)}) AND login IN ({_marks(logins)})"
        )

        def read(cursor: Cursor) -> dict[Subject, Tally]:
            return {Subject(row[0], row[1]): Tally(*row[2:]) for row in cursor.all(sql, (*networks, *logins))}

        return await self._database.read(read)

    async def count(
        self, subjects: Iterable[Subject], judge: Callable[[Mapping[Subject, Tally]], Mapping[Subject, Tally]]
    ) -> dict[Subject, Tally]:
        ordered = sorted(subjects)  # one order for all who lock

        def change(cursor: Cursor) -> dict[Subject, Tally]:
            found = {}
            for subject in ordered:
                row = cursor.one(_LOCK, subject)
                assert row is not None
                found[subject] = Tally(*row)
            judged = dict(judge(found))
            for subject, tally in judged.items():
                if tally.score or tally.bans:
                    cursor.execute(
                        "UPDATE failure SET score = ?, at = ?, bans = ?, until = ?, worthless = ? "
                        "WHERE network = ? AND login = ?",
                        (tally.score, tally.at, tally.bans, tally.until, worthless_at(tally), *subject),
                    )
                else:
                    cursor.execute("DELETE FROM failure WHERE network = ? AND login = ?", subject)
            return judged

        return await self._database.write(change)

    async def banned(self, now: float, most: int) -> list[Banned]:
        def read(cursor: Cursor) -> list[Banned]:
            rows = cursor.all(
                "SELECT network, login, bans, until FROM failure WHERE until > ? ORDER BY until DESC LIMIT ?",
                (now, most),
            )
            return [Banned(Subject(network, login), bans, until) for network, login, bans, until in rows]

        return await self._database.read(read, heavy=True)

    async def lift(self, subject: Subject) -> bool:
        def change(cursor: Cursor) -> bool:
            if subject.login == ALL_LOGINS:
                cursor.execute("DELETE FROM failure WHERE network = ?", (subject.network,))
            else:
                cursor.execute("DELETE FROM failure WHERE network = ? AND login = ?", subject)
            return cursor.changes() > 0

        return await self._database.write(change)

    async def forget(self, now: float) -> int:
        def change(cursor: Cursor) -> int:
            cursor.execute("DELETE FROM failure WHERE worthless < ?", (now,))
            return cursor.changes()

        return await self._database.write(change)


def _marks(values: list[str]) -> str:
    return ", ".join("?" * len(values))
