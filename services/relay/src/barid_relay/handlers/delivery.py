"""One parcel to one destination: find hosts, dial, send, until every recipient has an answer."""

from collections.abc import AsyncIterator, Callable
from time import perf_counter

from barid_runtime.journal.port import BodyReader, BodyUnavailable, JournalError
from barid_runtime.logging import get_logger

from ..policy.mx import LOOP
from ..ports.hosts import Answer, Dialer, DialFailed, Fate, Letter, Session, Stale, TurnedAway, Withdrawn
from ..ports.queue import Parcel
from .finding import Finder
from .meters import Meters
from .sessions import LETTERS_MOST, Sessions

TURNED_AWAY_MOST = 3
"""Sessions in a row that may end before their first envelope was answered, each with another mail. A host that is tired
of us (421 to every MAIL) is left alone then, instead of being dialled for each of ten thousand mails. Not at the first:
it may be the mail that the host can't bear, and its neighbours must not wait for it."""

log = get_logger("relay.delivery")


class Line:
    """What one worker holds of its destination: at most one session, reused from mail to mail."""

    def __init__(
        self,
        destination: str,
        finder: Finder,
        dialer: Dialer,
        sessions: Sessions,
        bodies: BodyReader,
        meters: Meters,
    ) -> None:
        self._destination = destination
        self._finder = finder
        self._dialer = dialer
        self._sessions = sessions
        self._bodies = bodies
        self._meters = meters
        self._session: Session | None = None
        self._turned_away = 0
        self._said: Answer | None = None

    async def deliver(self, parcel: Parcel, may_end: Callable[[], bool]) -> list[Answer]:
        """One answer per recipient, in order. may_end: see Letter. Raises Withdrawn if it said no; DialFailed when no
        host could be spoken to at all: whatever else goes there need not be tried now; TurnedAway when hosts have had
        enough of us."""
        answers: dict[int, Answer] = {}
        left = list(range(len(parcel.recipients)))
        while left:
            letter = self._letter(parcel, left, may_end)
            try:
                given = await self._send(letter)
            except BodyUnavailable as error:
                log.warning("body not there now", mail_id=parcel.mail_id, error=str(error))
                later = Answer(Fate.DEFERRED, "4.3.0", reason=f"the body can't be read now: {error}")
                given = [later] * len(left)
            except JournalError as error:
                log.error("body unreadable", mail_id=parcel.mail_id, error=f"{type(error).__name__}: {error}")  # noqa: TRY400
                lost = Answer(Fate.HELD, "5.3.0", reason=f"the body can't be read: {error}")
                given = [lost] * len(left)
            except (DialFailed, Withdrawn):
                if not answers:
                    raise
                # It ended after a part of a long list: the rest keeps its refusal.
                break
            answers |= zip(left, given, strict=True)
            # Each round has settled somebody, or nobody is asked to come again.
            left = [k for k in left if answers[k].again]
        return [answers[k] for k in range(len(parcel.recipients))]

    async def close(self, *, keep: bool) -> None:
        """keep: an idle session may serve the next worker."""
        session, self._session = self._session, None
        if session is None:
            return
        if keep:
            self._sessions.give(self._destination, session)
        else:
            await session.close()

    async def _send(self, letter: Letter) -> list[Answer]:
        session = await self._ready()
        started = perf_counter()
        try:
            answers = await session.send(letter)
        except Stale:
            await self.close(keep=False)
            session = self._session = await self._dial()
            answers = await session.send(letter)
        self._meters.transaction.observe(perf_counter() - started)
        if session.sent or session.usable:
            self._turned_away = 0
        else:
            self._turned_away += 1
            self._said = answers[0]
        return answers

    async def _ready(self) -> Session:
        session = self._session
        if session is not None and (not session.usable or session.sent >= LETTERS_MOST):
            await self.close(keep=False)
            session = None
        if session is None:
            if self._turned_away >= TURNED_AWAY_MOST and self._said is not None:
                raise TurnedAway(self._said)
            session = self._sessions.take(self._destination) or await self._dial()
            self._session = session
        return session

    async def _dial(self) -> Session:
        """The first host that lets us in. Raises DialFailed: of the last that was tried, unless all say never."""
        hops = await self._finder.hops(self._destination)
        failures: list[Answer] = []
        for hop in hops:
            try:
                return await self._dialer.dial(hop)
            except DialFailed as failed:
                log.info("no session", host=hop.name, address=hop.address, said=failed.answer.text)
                failures.append(failed.answer)
                if failed.answer is LOOP:
                    # It was ourselves, so who comes after it would bring the mail back (RFC 5321 §5.1).
                    break
        hopeful = [answer for answer in failures if answer.fate is not Fate.BOUNCED]
        raise DialFailed((hopeful or failures)[-1])

    def _letter(self, parcel: Parcel, chosen: list[int], may_end: Callable[[], bool]) -> Letter:
        trace = parcel.trace.encode("latin-1")

        async def body() -> AsyncIterator[bytes]:
            head = trace
            async for chunk in self._bodies.stream(parcel.ref):
                yield head + chunk
                head = b""
            if head:
                yield head

        return Letter(
            parcel.reverse_path,
            [parcel.recipients[k].address for k in chosen],
            len(trace) + parcel.ref.size,
            parcel.smtputf8,
            body,
            may_end,
        )
