"""Problems as RFC 9457 has them: the one shape in which this API says no.

`type` leads to a page of this API (`/problems/<name>`) that says what to do; `detail` is about this very request and
safe to show; `errors` names fields. Causes stay in the log.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from barid_runtime.bus.port import BusError, BusUnavailable, DeadlineExceeded, NoResponders, OperationFailed
from barid_runtime.journal.port import BodyCorrupt, BodyMissing, JournalError
from barid_runtime.logging import get_logger

from ..policy.words import in_words

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER = 2
"""Seconds: longer than the bus takes to come back on one machine, shorter than a person's patience."""

MOST_ERRORS = 50
"""Fields named in one answer."""

log = get_logger("admin")

PROBLEMS: dict[str, tuple[int, str, str]] = {
    "bad-request": (400, "The request is malformed", "Correct the request."),
    "unauthorized": (401, "An API key is needed", "Send `Authorization: Bearer <key>` with a key of this system."),
    "forbidden": (403, "That is not permitted", "Use a key that may do everything, or change what is asked."),
    "not-found": (404, "There is no such thing", "Correct the name; the listing says what there is."),
    "not-in-time": (404, "No such mail came in time", "Wait longer, or ask for the mail's trace."),
    "method-not-allowed": (405, "The resource has no such method", "Use one of those that `Allow` names."),
    "conflict": (409, "It contradicts what there is", "Look at what there is, then change or remove that first."),
    "length-required": (411, "The length must be announced", "Send `Content-Length` instead of chunks."),
    "too-large": (413, "The request is too large", "Send less."),
    "unsupported-media-type": (415, "The body is of the wrong type", "Send JSON as `application/json`."),
    "invalid": (422, "Values are wrong", "Correct the values that `errors` or `detail` names."),
    "too-many-requests": (429, "Too many failures, or too much at once", "Wait as long as `Retry-After` says."),
    "internal": (500, "A fault of ours", "The log of the service says more. Trying again may work."),
    "unavailable": (503, "A service is away", "Try again after the seconds that `Retry-After` says."),
    "timeout": (504, "A service did not answer in time", "Try again; what was asked for may have been done."),
    "over-quota": (507, "There is no room", "Raise the quota or remove mail."),
}
"""Name → status, title, what to do."""

_BY_CODE = {
    "not_found": "not-found",
    "conflict": "conflict",
    "invalid": "invalid",
    "forbidden": "forbidden",
    "over_quota": "over-quota",
    "limit": "conflict",
    "unavailable": "unavailable",
}
"""Codes of problems on the bus (`barid_contracts.base.Problem`); others are `internal`."""

_BY_STATUS = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media-type",
}


class FieldError(BaseModel):
    """A value that is wrong. pointer: into the body (RFC 6901); parameter: of the path or the query."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str = ""
    errors: list[FieldError] | None = None


class Refusal(Exception):
    """A handler says no. name: one of PROBLEMS."""

    def __init__(
        self,
        name: str,
        detail: str = "",
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name, detail)
        self.headers = headers
        self.name = name
        self.detail = detail
        self.errors = errors


def wrong(parameter: str, detail: str) -> Refusal:
    """A parameter of the path or the query has a wrong value."""
    return Refusal("invalid", f"{parameter}: {detail}", [FieldError(parameter=parameter, detail=detail)])


def problem(
    name: str, detail: str = "", *, errors: Sequence[FieldError] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """The answer. headers: further ones."""
    status, title, _ = PROBLEMS[name]
    body: dict[str, Any] = {"type": f"/problems/{name}", "title": title, "status": status}
    if detail:
        body["detail"] = detail
    if errors:
        body["errors"] = [error.model_dump(exclude_none=True) for error in errors]
    fields = dict(headers or {})
    if status in (503, 504):
        fields.setdefault("Retry-After", str(RETRY_AFTER))
    return Response(
        json.dumps(body, ensure_ascii=False).encode(), status_code=status, headers=fields, media_type=MEDIA_TYPE
    )


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Every error of this app becomes a problem. routers: all that the app includes."""

    async def on_refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return problem(error.name, error.detail, errors=error.errors, headers=error.headers)

    async def on_bus_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, BusError)
        return problem(*named(error))

    async def on_journal_error(request: Request, error: Exception) -> Response:
        if isinstance(error, BodyMissing):
            return problem("not-found", "the message's bytes are no longer there")
        if isinstance(error, BodyCorrupt):
            log.error("body is corrupt", path=request.url.path, error=str(error))
            return problem("internal", "the message's bytes don't match their checksum; `barid doctor` says more")
        return problem("unavailable", "the journal can't be read now")

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = [_field_error(fault) for fault in error.errors()[:MOST_ERRORS]]
        if any(fault["type"] == "json_invalid" for fault in error.errors()):
            return problem("bad-request", "the body is not JSON")
        return problem("invalid", "; ".join(map(_in_words, found[:3])), errors=found)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        name = _BY_STATUS.get(error.status_code, "internal" if error.status_code >= 500 else "bad-request")
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(sorted(_methods(routers, request)))
            if request.method == "OPTIONS":
                return Response(status_code=204, headers=headers)
        # The framework's words for it are the status phrase again, which the title says better.
        detail = "" if error.detail == HTTPStatus(error.status_code).phrase else str(error.detail)
        if error.status_code == 404:
            detail = f"there is nothing at {request.url.path[:200]}; /openapi.json says what there is"
        return problem(name, detail, headers=headers)

    async def on_fault(request: Request, error: Exception) -> Response:
        # The server logs the exception: the framework raises it again after this answer.
        return problem("internal")

    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(BusError, on_bus_error)
    app.add_exception_handler(JournalError, on_journal_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_fault)


def named(error: BusError) -> tuple[str, str]:
    """The problem's name and what to tell of it."""
    if isinstance(error, OperationFailed):
        return _BY_CODE.get(error.code, "internal"), error.text
    if isinstance(error, NoResponders):
        return "unavailable", str(error)
    if isinstance(error, BusUnavailable):
        return "unavailable", "the bus is away"
    if isinstance(error, DeadlineExceeded):
        return "timeout", str(error)
    log.warning("bus error", error=str(error))
    return "internal", ""


def _methods(routers: Sequence[APIRouter], request: Request) -> set[str]:
    """All that any route has for this path: the framework names those of the first one."""
    found = {
        method
        for router in routers
        for route in router.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in getattr(route, "methods", None) or ()
    }
    return found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set())


def _field_error(fault: dict[str, Any]) -> FieldError:
    """Without the value: it may be a password."""
    where, *path = fault["loc"] or ("body",)
    text = in_words(fault["type"], fault.get("ctx", {}), str(fault["msg"]))
    if where == "body":
        escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
        return FieldError(pointer="#" + "".join(f"/{part}" for part in escaped), detail=text)
    return FieldError(parameter=".".join(map(str, path)), detail=text)


def _in_words(error: FieldError) -> str:
    name = error.parameter or (error.pointer or "").lstrip("#/") or "body"
    return f"{name}: {error.detail}"
