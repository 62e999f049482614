"""The base of every model, and the two ways in which messages travel: operations (asked and answered) and events."""

from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints


class Message(BaseModel):
    """What all contracts share: immutable, and deaf to fields of a newer sender.

    Validators are built at a model's first use: of a hundred models a service uses some, and all together are a
    sixteenth of what a start costs.

    On hot paths an empty list is `Field(default_factory=list)`: a default `[]` is deep-copied in Python, 3 µs each.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", ser_json_bytes="base64", val_json_bytes="base64", defer_build=True
    )


MailId = Annotated[str, StringConstraints(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")]
"""Our name of a mail: 26 characters of Crockford's base 32, 48 bits of time in ms, then 80 random; sorts by time."""

Latin1 = str
"""Bytes as text, each byte the code point of the same number, so that JSON can carry them."""

Column = bytes
"""An array of little-endian unsigned integers (32 bits for UIDs, 64 for the rest), base64 in JSON: a column of rows."""

Request_ = TypeVar("Request_", bound=Message)
Reply_ = TypeVar("Reply_", bound=Message)


@dataclass(frozen=True, slots=True)
class Operation(Generic[Request_, Reply_]):
    """A question that one service answers: where it is asked, and the shapes of question and answer."""

    subject: str
    request: type[Request_]
    reply: type[Reply_]


@dataclass(frozen=True, slots=True)
class Event(Generic[Request_]):
    """A thing that happened. `subject` may end in a token that `subject_for` fills in (`mail.v1.changed.{account}`)."""

    subject: str
    body: type[Request_]

    def subject_for(self, **tokens: str) -> str:
        return self.subject.format(**tokens)


class Empty(Message):
    """A question or an answer with nothing to say."""


class Problem(Message):
    """How an operation fails. It travels in place of the reply, marked by the header `Barid-Problem`.

    code: one of `not_found`, `conflict`, `invalid`, `forbidden`, `over_quota`, `limit`,
    `unavailable`, `late`, `unknown`, `internal`. `late`: a keyed request came after its time; nothing was done under
    the key, and nothing will be. `unknown`: it may have been done or not; asked again with the same key it tells.
    text: safe to show to whoever asked; the cause stays in the answering service's log.
    """

    code: str
    text: str = ""
