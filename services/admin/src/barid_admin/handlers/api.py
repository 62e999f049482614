"""The API as a whole: resources behind the gate, and the description of both."""

from typing import Any

from fastapi import Depends, FastAPI, Request
from starlette.responses import PlainTextResponse, Response

from ..policy.keys import Keys
from . import (
    accounts,
    aliases,
    bans,
    captured,
    cluster,
    domains,
    messages,
    own_password,
    problems,
    queue,
    sieve,
    tracing,
    waiting,
)
from .desk import Desk
from .gate import App, Gate
from .problems import PROBLEMS, Problem, Refusal, wrong
from .shapes import says_no

DESCRIPTION = """\
Operate a Barid mail system. Every request carries an API key (`Authorization: Bearer <key>`), but for that with which
a user changes their own password. Listings come in pages:
give `next` as `cursor` for the page after. Errors are problem details (RFC 9457); their `type` is a page that says
what to do. Addresses in paths are percent-encoded (`%2F` too).
"""

OF_BODIES = ("bad-request", "length-required", "too-large", "unsupported-media-type")
"""Problems of every operation that takes a body."""

JSON_SCHEMA_PLACE = "#/components/schemas/{model}"


def make_api(desk: Desk, keys: Keys) -> tuple[App, waiting.Waiting]:
    """The ASGI app, and those who wait in it: they are to be woken before it ends."""
    app = FastAPI(
        title="Barid",
        description=DESCRIPTION,
        version="1",
        # No pages whose scripts come from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        dependencies=[Depends(only_known_parameters)],
    )
    those_who_wait = waiting.Waiting(desk)
    routers = (
        domains.routes(desk),
        accounts.routes(desk),
        own_password.routes(desk),
        bans.routes(desk),
        sieve.routes(desk),
        aliases.routes(desk),
        messages.routes(desk),
        waiting.routes(desk, those_who_wait),
        queue.routes(desk),
        captured.routes(desk),
        tracing.routes(desk),
        cluster.routes(desk),
    )
    for router in routers:
        app.include_router(router)
    problems.install(app, routers)
    described: list[dict[str, Any]] = []

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        if not described:
            described.append(describe(app))
        return described[0]

    @app.get("/problems/{name}", include_in_schema=False)
    async def explain_problem(name: str) -> Response:
        if name not in PROBLEMS:
            raise Refusal("not-found", f"there is no problem {name}")
        status, title, remedy = PROBLEMS[name]
        return PlainTextResponse(f"{title} ({status})\n\n{remedy}\n")

    return Gate(app, keys), those_who_wait


async def only_known_parameters(request: Request) -> None:
    """A misspelt filter would filter nothing, in silence."""
    known = {parameter.alias for parameter in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in known:
            raise wrong(name, "there is no such parameter here")


def describe(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of all routes, with the key and the problems that the framework does not know of."""
    from fastapi.openapi.utils import get_openapi

    found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    for methods in found["paths"].values():
        for operation in methods.values():
            # The first line of a handler's docstring is its summary.
            operation["summary"], _, operation["description"] = operation["description"].partition("\n\n")
            if "requestBody" in operation:
                operation["responses"] |= {str(status): said for status, said in says_no(*OF_BODIES).items()}
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template=JSON_SCHEMA_PLACE)
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "an API key"}}
    found["security"] = [{"key": []}]
    return found
