"""What a session knows, and the shape of a command. Commands see this and nothing of buffers or output."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from barid_protocols.sasl import ServerMechanism
from barid_protocols.smtp import replies
from barid_protocols.smtp.errors import LocalError
from barid_protocols.smtp.events import Answer, CloseReason, Decision, Notice
from barid_protocols.smtp.options import MAX_COMMAND_LINE, ServerOptions
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.states import TRANSITIONS, Input, State


@dataclass(slots=True)
class Transaction:
    smtputf8: bool
    accepted: int = 0  # recipients


@dataclass(slots=True)
class Session:
    options: ServerOptions
    tls: bool
    state: State = State.CONNECTED
    hello: str = ""
    extended: bool = False  # EHLO or LHLO: parameters may be used
    login: str | None = None
    transaction: Transaction | None = None
    exchange: ServerMechanism | None = None
    errors: int = 0
    failed_logins: int = 0
    closing: CloseReason | None = None
    notices: deque[Notice] = field(default_factory=deque)

    def advance(self, step: Input) -> None:
        """Take a step that the table knows; a KeyError here is a bug of the core."""
        self.state = TRANSITIONS[self.state][step]

    def forget_transaction(self, notice: Notice | None) -> None:
        if self.transaction is not None:
            self.transaction = None
            if notice is not None:
                self.notices.append(notice)


@dataclass(frozen=True, slots=True)
class Command:
    """One file in ``commands/`` makes one.

    ``begin(session, argument)`` parses, checks the facts (the state was checked by the table) and acts: it gives the
    reply, or the decision that the host must take. It raises Refusal for bad syntax. ``argument`` is what follows
    the verb and a space, without trailing white space.

    ``settle(session, decision, answer)`` acts on the host's answer and gives the replies.

    ``extend(session, decision, argument)`` may take the next line of the same verb into the decision; it says whether
    it did and leaves everything alone if not.
    """

    step: Input
    begin: Callable[[Session, bytes], Reply | Decision]
    settle: Callable[[Session, Decision, Answer], Sequence[Reply]] | None = None
    extend: Callable[[Session, Decision, bytes], bool] | None = None
    max_line: int = MAX_COMMAND_LINE
    secret: bool = False  # its argument may hold a password
    verb: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "verb", self.step.value.encode("ascii"))


def single(answer: Answer, default: Reply) -> Reply:
    """The one reply of an answer to a question that has only one."""
    if answer is None:
        return default
    if isinstance(answer, Reply):
        return answer
    if len(answer) != 1:
        raise LocalError(f"one reply is asked for, not {len(answer)}")
    return answer[0]


def each(answer: Answer, count: int, default: Reply) -> Sequence[Reply]:
    """Exactly ``count`` replies; fewer only if the last of them is a 421, behind which there is nothing to answer."""
    if answer is None:
        return [default] * count
    if isinstance(answer, Reply):
        return [answer] * count
    if len(answer) != count and not (0 < len(answer) < count and answer[-1].code == 421):
        raise LocalError(f"{count} replies are asked for, not {len(answer)}")
    return answer


def completes(reply: Reply) -> bool:
    """Whether the host accepted. Raises LocalError for 3xx, which only the core may say."""
    if reply.code < 300:
        return True
    if reply.code < 400:
        raise LocalError(f"{reply.code} is not an answer to a decision")
    return False


def too_many_logins(session: Session) -> Reply | None:
    if session.failed_logins < session.options.max_failed_logins:
        return None
    session.closing = CloseReason.LOGINS
    return replies.TOO_MANY_LOGINS
