"""Compile once, run often: the door of the engine."""

from collections.abc import Generator, Mapping

from barid_protocols.sieve.actions import Result
from barid_protocols.sieve.errors import SieveRuntimeError, SieveSyntaxError
from barid_protocols.sieve.limits import MAX_QUESTIONS, MAX_SCRIPT_BYTES
from barid_protocols.sieve.machine import Operation, Run, Unanswered
from barid_protocols.sieve.message import Message
from barid_protocols.sieve.nodes import Source
from barid_protocols.sieve.parser import parse
from barid_protocols.sieve.questions import Answer, Ask
from barid_protocols.sieve.registry import GRAMMAR
from barid_protocols.sieve.scope import Scope

_NO_ANSWERS: Mapping[Ask, Answer] = {}


class Program:
    """A compiled script: immutable, safe to share between runs. `required` is what the script requires."""

    __slots__ = ("_body", "required")

    def __init__(self, body: Operation, required: frozenset[str]) -> None:
        self._body = body
        self.required = required

    def evaluate(self, message: Message, answers: Mapping[Ask, Answer] = _NO_ANSWERS) -> Result | Ask:
        """One run: the result, or the first question that `answers` does not hold; then call again with it added.

        Pure: the same message and answers give the same outcome. Raises SieveRuntimeError (keep the message).
        """
        run = Run(message, answers)
        try:
            self._body(run)
            return run.result()
        except Unanswered as unanswered:
            if len(answers) >= MAX_QUESTIONS:
                raise SieveRuntimeError(f"more than {MAX_QUESTIONS} questions to the server") from None
            return unanswered.question

    def run(self, message: Message) -> Generator[Ask, Answer, Result]:
        """The same as a dialogue: yields questions, is sent answers, returns the result."""
        answers: dict[Ask, Answer] = {}
        while True:
            outcome = self.evaluate(message, answers)
            if isinstance(outcome, Result):
                return outcome
            answers[outcome] = yield outcome


def compile_script(script: bytes | str, *, separator: str = "+") -> Program:
    """Compiles a whole script. `separator` divides user and detail of local parts (RFC 5233).

    Raises SieveSyntaxError, and nothing else, whatever the input.
    """
    source = Source(_decoded(script))
    scope = Scope(source, GRAMMAR, separator)
    body = scope.block(parse(source))
    return Program(body, frozenset(scope.required))


def _decoded(script: bytes | str) -> str:
    octets = script if isinstance(script, bytes) else script.encode("utf-8", "replace")
    if len(octets) > MAX_SCRIPT_BYTES:
        raise SieveSyntaxError(f"the script is larger than {MAX_SCRIPT_BYTES} octets", 1, 1)
    try:
        return octets.decode("utf-8-sig")  # RFC 5228 §2.1: UTF-8; editors of some systems put a mark before it
    except UnicodeDecodeError as error:
        before = octets[: error.start]
        place = error.start - before.rfind(b"\n")
        raise SieveSyntaxError("the script is not UTF-8", before.count(b"\n") + 1, place) from None
