"""What all commands over the API share: where it is, how answers are shown, what errors say and how they exit."""

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from ..client import ApiError, Client, Unreachable
from ..terminal import printable, printable_json

EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3

DEFAULT_DATA = Path("data")
"""As `barid up` has it."""

Cascade = Annotated[bool, typer.Option("--cascade", help="also take it out of the aliases and catch-alls that name it")]

_OPTIONS = {
    "api": Annotated[
        str | None,
        typer.Option("--api", envvar="BARID_API", help="URL of the API; default: of the system on --data"),
    ],
    "api_key": Annotated[str | None, typer.Option("--api-key", envvar="BARID_API_KEY", help="default: as well")],
    "data": Annotated[Path, typer.Option("--data", envvar="BARID_DATA", help="data folder of a running `barid up`")],
    "as_json": Annotated[bool, typer.Option("--json", help="print what the API says, as JSON")],
}
_DEFAULTS = {"api": None, "api_key": None, "data": DEFAULT_DATA, "as_json": False}


class Session:
    """One run of one command."""

    def __init__(self, client: Client, *, as_json: bool) -> None:
        self.client = client
        self.as_json = as_json

    def table(self, columns: Iterable[str], rows: Iterable[Iterable[object]], empty: str) -> None:
        """A table for people; `empty` if there are no rows."""
        from .output import show_table

        show_table(list(columns), [list(row) for row in rows], empty)

    def json(self, answer: object) -> None:
        typer.echo(printable_json(answer))

    def say(self, text: str, answer: object = None) -> None:
        """What was done: for people in words, else what the API said (or `{}`)."""
        if self.as_json:
            self.json({} if answer is None else answer)
        else:
            typer.echo(printable(text))


def command(
    app: typer.Typer, name: str, *, key_needed: bool = True
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mount a function as a command of a group. Its first parameter is the Session, the others are its own; the
    options that all commands have are added. key_needed: else it is for users, who have none."""

    def mount(function: Callable[..., None]) -> Callable[..., None]:
        app.command(name, help=inspect.getdoc(function))(connected(function, key_needed=key_needed))
        return function

    return mount


def alone(function: Callable[..., None]) -> typer.Typer:
    """A command that is no group: `barid <name> …`."""
    app = typer.Typer(
        help=inspect.getdoc(function),
        invoke_without_command=True,
        subcommand_metavar="",
        rich_markup_mode=None,
        # Groups stop at the first argument, as subcommands follow; here options may.
        context_settings={"allow_interspersed_args": True},
    )
    app.callback()(connected(function))
    return app


def group(help: str) -> typer.Typer:
    return typer.Typer(help=help, no_args_is_help=True, rich_markup_mode=None)


def connected(function: Callable[..., None], *, key_needed: bool = True) -> Callable[..., None]:
    own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS[name], annotation=annotation)
        for name, annotation in _OPTIONS.items()
    ]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

    @functools.wraps(function)
    def run(**given: Any) -> None:
        api, key, data, as_json = (given.pop(name) for name in _OPTIONS)
        try:
            client = find(api, key, data, key_needed=key_needed)
            try:
                function(Session(client, as_json=as_json), **given)
            finally:
                client.close()
        except ApiError as error:
            _refused(error, as_json=as_json)
        except Unreachable as error:
            fail(f"{error}; is `barid up` running? Else say where with --api or BARID_API", EXIT_UNREACHABLE)
        except BrokenPipeError:
            # Whoever read us has seen enough. What is left unwritten must not fail at exit again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    run.__signature__ = inspect.Signature(own + shared)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in own + shared}
    del run.__wrapped__  # else the options are looked for there
    return run


def find(api: str | None, key: str | None, data: Path, *, key_needed: bool = True) -> Client:
    """By options or environment, else as the running system wrote it into its data folder."""
    if not key_needed:
        key = ""
    if api is None or key is None:
        from ..folder import read_json

        found = read_json(data / "admin.json") or {}
        if api is None and not isinstance(found.get("url"), str):
            fail(
                f"no running system is known in {data.absolute()}: start one with `barid up`, name its folder with"
                " --data, or give --api and --api-key (BARID_API, BARID_API_KEY)",
                EXIT_UNREACHABLE,
            )
        # A key is for the API it was written with, not to be shown to another.
        if key is None and (api is None or api.rstrip("/") == found.get("url")):
            key = found.get("api_key")
        api = api if api is not None else found["url"]
    if key_needed and not key:
        fail(f"no API key for {api}: give --api-key or BARID_API_KEY", EXIT_USAGE)
    try:
        return Client(api, key or "")
    except ValueError as error:
        fail(str(error), EXIT_USAGE)


def fail(text: str, code: int) -> NoReturn:
    typer.echo(f"barid: {printable(text)}", err=True)
    raise typer.Exit(code)


_NEXT = {
    "unauthorized": "give a key of this system with --api-key or BARID_API_KEY",
    "forbidden": "use a key that may do everything",
    "unavailable": "try again in some seconds; `barid status` says who answers",
    "timeout": "try again; it may have been done",
    "internal": "the log of `barid up` says more",
    "not-in-time": "`barid trace` says what became of a mail, `barid explain` where an address leads",
}
"""Name of a problem → what to do next, where the answer itself does not say it."""


def _refused(error: ApiError, *, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(printable_json(error.problem, indent=None), err=True)
        raise typer.Exit(EXIT_REFUSED)
    hint = _NEXT.get(error.name)
    fail(f"{error}" + (f"; {hint}" if hint else ""), EXIT_REFUSED)
