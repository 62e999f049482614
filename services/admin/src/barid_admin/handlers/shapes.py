"""Shapes that many resources share. Times are RFC 3339 in UTC."""

from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, StringConstraints

from ..policy import cursors
from ..policy.words import MAIL_ID_PATTERN
from .problems import MEDIA_TYPE, PROBLEMS, wrong

PAGE_MOST = 500
PAGE_USUAL = 100

MailId = Annotated[str, StringConstraints(pattern=MAIL_ID_PATTERN)]
"""Our name of a mail."""

AddressInPath = Annotated[
    str, Path(min_length=3, max_length=254, description="an address, percent-encoded", examples=["bob@example.org"])
]
MailIdInPath = Annotated[
    MailId, Path(description="our id of the mail, 26 characters", examples=["01ARZ3NDEKTSV4RRFFQ69G5FAV"])
]
Cursor = Annotated[str | None, Query(max_length=1024, description="`next` of the page before")]
Cascade = Annotated[
    bool,
    Query(description="also take it out of the aliases and catch-alls that name it; else these are a conflict"),
]
Limit = Annotated[int, Query(ge=1, le=PAGE_MOST, description="most entries of the page")]


NUMBER_MOST = 2**53 - 1
"""What every JSON reader holds exactly (RFC 8259 §6): 9 PB, if it is bytes."""


class Body(BaseModel):
    """Of a request. A misspelt name is an error, not a wish that is passed over; nothing is made into another type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Changed(BaseModel):
    """How many were changed."""

    changed: int


def quoted(text: str) -> str:
    """As one segment of a path."""
    return quote(text, safe="@")


def moment(ms: int) -> datetime:
    """From epoch ms."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def after(listing: str, cursor: str | None) -> str | None:
    """The key to begin after."""
    if not cursor:
        return None
    try:
        return cursors.decode(listing, cursor)
    except ValueError as error:
        raise wrong("cursor", f"{error}; give `next` of the page before as it is") from None


def next_cursor(listing: str, key: str | None) -> str | None:
    return None if key is None else cursors.encode(listing, key)


def says_no(*names: str) -> dict[int | str, dict[str, Any]]:
    """The problems that a route answers with, for its OpenAPI, beyond those that every route has."""
    found: dict[int | str, dict[str, Any]] = {}
    for name in (*names, "unauthorized", "invalid", "unavailable", "timeout"):
        status, title, _ = PROBLEMS[name]
        found[status] = {
            "description": title,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return found
