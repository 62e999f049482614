"""What a script may need to know that is not at hand: asked of the host, answered before the run goes on.

A question is a value: equal questions are asked once per run, and the answer holds for the whole run.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AskMailboxExists:
    """Does this mailbox exist, and may the owner deliver into it (RFC 5490 §3.1)? Answer: bool."""

    mailbox: str


Ask = AskMailboxExists
"""All questions; becomes a union as extensions bring more."""

Answer = bool
