"""Sessions that are open and idle wait some seconds for the next mail to the same destination."""

import asyncio
from collections import deque

from ..ports.hosts import Session

LINGER = 5.0
"""Seconds that an idle session is kept: mail to one host comes in groups, and hosts don't like idle guests."""

LETTERS_MOST = 100
"""Letters over one connection; some hosts count, and a new one may go to a better host again."""

IDLE_MOST = 50
"""Idle sessions kept in all."""


class Sessions:
    def __init__(self) -> None:
        self._idle: dict[str, deque[tuple[Session, asyncio.TimerHandle]]] = {}
        self._count = 0
        self._closing: set[asyncio.Task[None]] = set()

    def take(self, destination: str) -> Session | None:
        """An idle session that can be used, if there is one."""
        waiting = self._idle.get(destination)
        while waiting:
            session, timer = waiting.pop()
            timer.cancel()
            self._count -= 1
            if not waiting:
                del self._idle[destination]
            if session.usable:
                return session
            self._close(session)
        return None

    def give(self, destination: str, session: Session) -> None:
        """Keep it, or close it."""
        if not session.usable or session.sent >= LETTERS_MOST or self._count >= IDLE_MOST:
            self._close(session)
            return
        timer = asyncio.get_running_loop().call_later(LINGER, self._expire, destination, session)
        self._idle.setdefault(destination, deque()).append((session, timer))
        self._count += 1

    async def close(self) -> None:
        for waiting in self._idle.values():
            for session, timer in waiting:
                timer.cancel()
                self._close(session)
        self._idle.clear()
        self._count = 0
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _expire(self, destination: str, session: Session) -> None:
        waiting = self._idle[destination]
        for pair in waiting:
            if pair[0] is session:
                waiting.remove(pair)
                break
        self._count -= 1
        if not waiting:
            del self._idle[destination]
        self._close(session)

    def _close(self, session: Session) -> None:
        task = asyncio.get_running_loop().create_task(session.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
