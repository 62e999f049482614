"""All subcommands, and the options of `barid up`. No imports here beyond typer and what is as light."""

import gc
import importlib
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .cli import apps, backup
from .plan import PlanError, UpOptions, replicas_of
from .roster import SERVICES, module_of

app = typer.Typer(
    name="barid",
    help="A mail system: SMTP, IMAP, POP3, Sieve. `barid up` runs it; `barid send` and `barid read` try it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

DataOption = Annotated[Path, typer.Option("--data", envvar="BARID_DATA", help="folder of all that the system keeps")]
DEFAULT_DATA = Path("data")


class OutboundMode(StrEnum):
    capture = "capture"
    direct = "direct"
    smarthost = "smarthost"


class SizeMode(StrEnum):
    embedded = "embedded"
    cluster = "cluster"


class LogLevel(StrEnum):
    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


class LogFormat(StrEnum):
    json = "json"
    console = "console"


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"barid {version('barid')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="say it")] = False,
) -> None:
    """No state of its own."""


@app.command(short_help="Run the whole system.")
def up(
    data: DataOption = DEFAULT_DATA,
    processes: Annotated[
        int, typer.Option(min=0, help="services share this many processes; 0: each has its own", show_default=False)
    ] = 0,
    size: Annotated[
        SizeMode,
        typer.Option(
            help="cluster: with three nats-servers, PostgreSQL, an S3 server and several processes of"
            " each service, to try on this machine what runs on many"
        ),
    ] = SizeMode.embedded,
    replicas: Annotated[
        str, typer.Option(help="SERVICE=N,…: processes of services in --size cluster", show_default=False)
    ] = "",
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    hostname: Annotated[str, typer.Option(help="our name in greetings and Received; default: this machine's")] = "",
    port_base: Annotated[
        int, typer.Option(help="each listener on this + its standard port (admin: + 80); 0 as root: the standard ports")
    ] = 10_000,
    ephemeral: Annotated[bool, typer.Option("--ephemeral", help="any free ports instead")] = False,
    ready_file: Annotated[
        Path | None, typer.Option(help="written once everything answers: ports, API key, accounts, pids as JSON")
    ] = None,
    accounts: Annotated[
        Path | None,
        typer.Option(
            help="file of `login:password` lines: made if missing, instead of the demo accounts. Passwords of any"
            " length, as they were chosen elsewhere, and not printed; those that are chosen here have at least 8"
            " characters"
        ),
    ] = None,
    sieve: Annotated[Path | None, typer.Option(help="script to install for every account of --accounts")] = None,
    allow_plaintext: Annotated[
        bool, typer.Option("--allow-plaintext", help="log-ins without TLS; only where --host is loopback")
    ] = False,
    outbound: Annotated[
        OutboundMode,
        typer.Option(help="mail for other domains: keep it here, deliver by MX, or by a smarthost"),
    ] = OutboundMode.capture,
    smarthost: Annotated[str, typer.Option(help="HOST:PORT")] = "",
    route: Annotated[
        list[str] | None, typer.Option(help="DOMAIN=HOST:PORT: where mail for it goes, whatever --outbound says")
    ] = None,
    max_size: Annotated[int | None, typer.Option(help="octets of a message", min=65_536)] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="SERVICE.SETTING=VALUE: what has no option of its own")
    ] = None,
    drain_seconds: Annotated[float, typer.Option(min=0, help="most seconds that a stop may take")] = 20.0,
    log_level: Annotated[LogLevel, typer.Option()] = LogLevel.info,
    log_format: Annotated[
        LogFormat | None, typer.Option(help="default: console on a terminal, else json", show_default=False)
    ] = None,
) -> None:
    """Run the whole system until Ctrl-C or SIGTERM."""
    try:
        options = UpOptions(
            data=data.absolute(),
            size=size.value,
            processes=processes,
            replicas=replicas_of(replicas, "--replicas "),
            host=host,
            hostname=hostname,
            port_base=None if ephemeral else port_base,
            ready_file=ready_file.absolute() if ready_file is not None else None,
            accounts=_logins(accounts),
            sieve=_text(sieve),
            allow_plaintext=allow_plaintext,
            outbound=outbound.value,
            smarthost=smarthost,
            routes=tuple(_pair(each, "--route", "DOMAIN=HOST:PORT") for each in route or ()),
            max_size=max_size,
            drain_seconds=drain_seconds,
            log_level=log_level.value,
            log_format=log_format.value if log_format else "console" if sys.stderr.isatty() else "json",
            overrides=_overrides(set_ or []),
        )
        options.check()
    except PlanError as error:
        typer.echo(f"barid up: {error}", err=True)
        raise typer.Exit(2) from None
    # Imports make objects that stay: looking through them for garbage meanwhile costs a sixth of the start.
    gc.disable()
    from .up import up as run

    raise typer.Exit(run(options))


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"{path} can't be read: {error}") from None


def _logins(path: Path | None) -> tuple[tuple[str, str], ...]:
    found = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        login, colon, password = line.partition(":")
        if not (colon and password and "@" in login):
            raise PlanError(f"{path}, line {number}: each line is `user@domain:password`")
        found.append((login.strip(), password))
    return tuple(found)


def _pair(text: str, option: str, shape: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise PlanError(f"{option} {text}: the shape is {shape}")
    return name, value


def _overrides(given: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for each in given:
        name, value = _pair(each, "--set", "SERVICE.SETTING=VALUE")
        service, dot, setting = name.partition(".")
        if not (dot and setting):
            raise PlanError(f"--set {each}: the shape is SERVICE.SETTING=VALUE")
        found.setdefault(service, {})[setting] = value
    return found


@app.command(short_help="Send a mail as one of the accounts.")
def send(
    to: Annotated[list[str], typer.Option("--to", help="an address; may be repeated")],
    sender: Annotated[str, typer.Option("--from", help="default: the first account known here")] = "",
    subject: Annotated[str, typer.Option()] = "Hello",
    body: Annotated[str, typer.Option(help="`-` reads standard input")] = "Hello from barid.",
    attach: Annotated[list[Path] | None, typer.Option(help="a file; may be repeated")] = None,
    password: Annotated[
        str | None, typer.Option(envvar="BARID_PASSWORD", help="if the data folder doesn't know it")
    ] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Send a mail through the running system, as one of its accounts."""
    from . import letters

    try:
        running = letters.Running.find(data)
        author = sender or running.first_account()
        text = sys.stdin.read() if body == "-" else body
        message = letters.compose(author, to, subject, text, attach or ())
        typer.echo(letters.send(running, author, to, message, password))
    except letters.LetterError as error:
        typer.echo(f"barid send: {error}", err=True)
        raise typer.Exit(1) from None


@app.command(short_help="Show an account's newest mail.")
def read(
    account: Annotated[str, typer.Option(help="default: the first account known here")] = "",
    mailbox: Annotated[str, typer.Option()] = "INBOX",
    newest: Annotated[int, typer.Option(min=1, help="at most so many")] = 10,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    password: Annotated[
        str | None, typer.Option(envvar="BARID_PASSWORD", help="if the data folder doesn't know it")
    ] = None,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Show an account's newest mail in the running system."""
    from . import letters

    try:
        running = letters.Running.find(data)
        login = account or running.first_account()
        letters.show(letters.read(running, login, mailbox, newest, password), as_json)
    except letters.LetterError as error:
        typer.echo(f"barid read: {error}", err=True)
        raise typer.Exit(1) from None


@app.command(short_help="Look whether all is well, and what to do.")
def doctor(
    as_json: Annotated[bool, typer.Option("--json")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="read every message in the journal")] = False,
    port_base: Annotated[int, typer.Option(help="as for `barid up`")] = 10_000,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Look whether all is well: each line ok, warn or fail, with the fix. Exit code 1 if anything failed."""
    from .doctor import examine

    raise typer.Exit(examine(data.absolute(), port_base, as_json=as_json, deep=deep))


for _name, _group in apps.items():
    app.add_typer(_group, name=_name)
app.add_typer(backup.app, name="backup", short_help="Save a running system, and look after what was saved.")
app.command(short_help="Put a backup back into an empty place.")(backup.restore)


def _service_command(service: str) -> Callable[[], None]:
    def command() -> None:
        importlib.import_module(module_of(service)).main()

    command.__doc__ = f"Run one service alone: {SERVICES[service].purpose}. Settings from BARID_… and files."
    return command


for _name, _entry in SERVICES.items():
    app.command(_name.replace("_", "-"), short_help=f"(service) {_entry.purpose}")(_service_command(_name))
    if "_" in _name:
        app.command(_name, hidden=True)(_service_command(_name))
