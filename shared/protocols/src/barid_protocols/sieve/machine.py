"""The state of one run. Compiled scripts are closures over nothing but constants; everything that changes is here.

Questions: an operation that needs an answer calls `ask`. When the answer is not there yet, the run is abandoned and
started again once the host has given it. A run is a pure function of message and answers, so it takes the same way to
the same question; scripts that ask nothing (nearly all) pay nothing, which generators all the way down would not give.
"""

from collections.abc import Callable, Mapping

from barid_protocols.sieve.actions import Action, Discard, FileInto, Keep, Redirect, Result, Vacation
from barid_protocols.sieve.errors import SieveRuntimeError
from barid_protocols.sieve.limits import MAX_ACTIONS, MAX_FUEL, MAX_REDIRECTS
from barid_protocols.sieve.message import Message
from barid_protocols.sieve.questions import Answer, Ask

_KEEP_ONLY = (Keep(),)


class Unanswered(Exception):
    def __init__(self, question: Ask) -> None:
        super().__init__(question)
        self.question = question


class Run:
    """`flags` is the internal variable of RFC 5232 §2; `captures` are ${0}, ${1}, …; names of variables are lower
    case. Operations that do work lower `fuel` and call `exhausted` when it is below zero."""

    __slots__ = (
        "_actions",
        "_discard",
        "_redirects",
        "answers",
        "budget",
        "captures",
        "flags",
        "fuel",
        "keeps",
        "message",
        "variables",
    )

    def __init__(self, message: Message, answers: Mapping[Ask, Answer]) -> None:
        self.message = message
        self.answers = answers
        self.budget = self.fuel = MAX_FUEL // (1 + len(answers))
        self.variables: dict[str, str] = {}
        self.captures: tuple[str, ...] = ()
        self.flags: tuple[str, ...] = ()
        self.keeps = True
        self._actions: dict[tuple[type, str], Action] = {}
        self._discard: Discard | None = None
        self._redirects = 0

    def ask(self, question: Ask) -> Answer:
        answer = self.answers.get(question)
        if answer is None:
            raise Unanswered(question)
        return answer

    def exhausted(self) -> SieveRuntimeError:
        return SieveRuntimeError(f"the script does more than {self.budget} units of work on this message")

    def keep(self, action: Keep | FileInto) -> None:
        """Filing twice into one mailbox files once, with all the flags (RFC 5228 §2.10.3). Keep means INBOX."""
        name = action.mailbox if isinstance(action, FileInto) else "INBOX"
        key = (Keep, "INBOX" if name.upper() == "INBOX" else name)
        earlier = self._actions.get(key)
        if earlier is None:
            self._add(key, action)
            return
        assert isinstance(earlier, Keep | FileInto)
        flags = tuple(dict.fromkeys(earlier.flags + action.flags))
        if isinstance(earlier, Keep):
            self._actions[key] = Keep(flags, earlier.line)
        else:
            create = earlier.create or (isinstance(action, FileInto) and action.create)
            copy = earlier.copy and (isinstance(action, FileInto) and action.copy)
            self._actions[key] = FileInto(earlier.mailbox, flags, copy, create, earlier.line)

    def redirect(self, action: Redirect) -> None:
        local, at, domain = action.address.rpartition("@")
        key = (Redirect, local + at + domain.lower())
        if key in self._actions:
            return
        self._redirects += 1
        if self._redirects > MAX_REDIRECTS:
            raise SieveRuntimeError(f"more than {MAX_REDIRECTS} redirects", action.line)
        self._add(key, action)

    def vacation(self, action: Vacation) -> None:
        if (Vacation, "") in self._actions:
            raise SieveRuntimeError("vacation was already executed", action.line)  # RFC 5230 §4.7
        self._add((Vacation, ""), action)

    def discard(self, action: Discard) -> None:
        self._discard = self._discard or action

    def result(self) -> Result:
        """Resolves the implicit keep with the flags as they stand at the end (RFC 5232 §4.1)."""
        implicit = self.keeps
        if implicit:
            if not self._actions:
                # Most runs end here.
                return Result((Keep(self.flags),) if self.flags else _KEEP_ONLY, True, self.budget - self.fuel)
            self.keep(Keep(self.flags))
        actions = tuple(self._actions.values())
        if self._discard and not any(isinstance(action, Keep | FileInto | Redirect) for action in actions):
            actions += (self._discard,)
        return Result(actions, implicit, self.budget - self.fuel)

    def _add(self, key: tuple[type, str], action: Action) -> None:
        # The implicit keep is no work of the script's: it must never fail.
        if len(self._actions) >= MAX_ACTIONS and not (isinstance(action, Keep) and not action.line):
            raise SieveRuntimeError(f"more than {MAX_ACTIONS} actions")
        self._actions[key] = action


Operation = Callable[[Run], bool]
"""A compiled command; True ends the script."""

Test = Callable[[Run], bool]
