"""`barid backup` and `barid restore`.

Exit codes: 0 done; 1 refused, or a backup that is damaged or lacks mail; 2 wrong usage; else of sysexits(3), as
`barid up` has them: 69 a database or a store, 73 and 77 folders, 74 the disk, 75 in use, 78 settings.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..terminal import printable, printable_json
from .command import DEFAULT_DATA, EXIT_REFUSED, EXIT_USAGE, fail

if TYPE_CHECKING:
    from ..backup.layout import Backup, Progress

Data = Annotated[Path, typer.Option("--data", envvar="BARID_DATA", help="data folder of the system")]
Json = Annotated[bool, typer.Option("--json", help="print what was done as JSON")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="folder of backups")]
Named = Annotated[
    str, typer.Option("--at", metavar="NAME", help="which backup; default: the newest", show_default=False)
]

app = typer.Typer(
    help="Save a running system, and look after what was saved.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


class TargetSize(StrEnum):
    embedded = "embedded"
    cluster = "cluster"


@app.callback()
def backup(
    context: typer.Context,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="folder of backups; made if missing")
    ] = None,
    data: Data = DEFAULT_DATA,
    keep: Annotated[int, typer.Option(min=0, help="how many backups remain, this one included; 0: all")] = 0,
    tables_only: Annotated[
        bool,
        typer.Option("--tables-only", help="without mail: for a bucket that its store keeps copies of by itself"),
    ] = False,
    as_json: Json = False,
) -> None:
    """Save tables, mail and large bodies of a system while it runs. Mail that an earlier backup in the folder has is
    not copied again. Where BARID_DATABASE_URL and BARID_S3_… are set, as for its services, that system is saved,
    else the one of --data."""
    if context.invoked_subcommand is not None:
        return
    if to is None:
        fail("say where with --to FOLDER", EXIT_USAGE)
    import asyncio

    from ..backup.places import of_running
    from ..backup.saving import back_up

    os.umask(0o077)  # password hashes and mail are in it
    with _told("backup"), _bar() as progress:
        saving = back_up(
            of_running(data.absolute()), to.absolute(), keep=keep, journal=not tables_only, report=progress
        )
        made = asyncio.run(saving)
    manifest = made.manifest
    if as_json:
        typer.echo(printable_json(_told_of(made)))
    else:
        typer.echo(
            f"{made.folder}: {_size(manifest.size)}, {manifest.packs} packs, {manifest.objects} large bodies, "
            f"{sum(sum(each.rows.values()) for each in manifest.services.values())} rows"
        )
    if manifest.rescued:
        typer.echo(
            f"barid backup: the journal has lost {len(manifest.rescued)} packs that messages need, the first is"
            f" {manifest.rescued[0]}; they are in this backup, from an earlier one. `barid doctor --deep` says more",
            err=True,
        )
    if manifest.missing:
        typer.echo(
            f"barid backup: {len(manifest.missing)} packs that messages need were neither in the journal nor whole in"
            f" the shared folders, the first is {manifest.missing[0]}; no older backup was removed, for it may have"
            " them. `barid doctor --deep` says more",
            err=True,
        )
        raise typer.Exit(EXIT_REFUSED)


@app.command("list")
def list_backups(folder: Folder, as_json: Json = False) -> None:
    """Say which backups there are."""
    from ..backup.layout import look
    from .output import show_table

    with _told("backup"):
        found = look(folder.absolute())
    if as_json:
        made = [_told_of(each) for each in found.finished]
        typer.echo(printable_json({"backups": made, "unfinished": found.unfinished, "damaged": found.damaged}))
        return
    rows: list[list[object]] = [
        [each.name, each.manifest.kind, _size(each.manifest.size), each.manifest.packs, each.manifest.objects]
        for each in found.finished
    ]
    rows += [[name, "never finished", "", "", ""] for name in found.unfinished]
    rows += [[name, "damaged", "", "", ""] for name in found.damaged]
    show_table(["backup", "of", "size", "packs", "large bodies"], sorted(rows, key=lambda row: str(row[0])), "none")


@app.command("verify")
def verify_backup(folder: Folder, name: Named = "", as_json: Json = False) -> None:
    """Read all of a backup and compare it with its checksums. Exit code 1 if anything is wrong."""
    from ..backup.layout import choose
    from ..backup.verifying import verify

    with _told("backup"), _bar() as progress:
        chosen = choose(folder.absolute(), name)
        faults = list(verify(chosen, progress))
    if as_json:
        typer.echo(printable_json(_told_of(chosen) | {"faults": [{"path": f.path, "what": f.what} for f in faults]}))
    else:
        for fault in faults:
            typer.echo(printable(f"{fault.path}: {fault.what}"))
        if not faults:
            typer.echo(f"{chosen.name}: whole")
    if faults:
        raise typer.Exit(EXIT_REFUSED)


def restore(
    source: Annotated[Path, typer.Option("--from", metavar="FOLDER", help="folder of backups")],
    name: Named = "",
    data: Data = DEFAULT_DATA,
    size: Annotated[
        TargetSize, typer.Option(help="cluster: into the data folder of a `barid up --size cluster`")
    ] = TargetSize.embedded,
    keep_journal: Annotated[
        bool,
        typer.Option("--keep-journal", help="mail survived, tables did not: keep the packs that are there, newer too"),
    ] = False,
    as_json: Json = False,
) -> None:
    """Put a backup back into an empty place: the data folder, or where BARID_DATABASE_URL and BARID_S3_… point. A
    backup of one size may go into the other. All services must be stopped, and the bus's store must be empty."""
    import asyncio

    from ..backup.layout import choose
    from ..backup.places import to_be_filled
    from ..backup.restoring import Restored
    from ..backup.restoring import restore as put_back

    async def run(report: "Progress") -> "tuple[Backup, Restored]":
        chosen = choose(source.absolute(), name)
        async with to_be_filled(data.absolute(), size=size.value) as places:
            return chosen, await put_back(chosen, places, keep_journal=keep_journal, report=report)

    os.umask(0o077)
    with _told("restore"), _bar() as progress:
        chosen, done = asyncio.run(run(progress))
    if as_json:
        counts = {each: getattr(done, each) for each in ("packs", "objects", "rows", "mailboxes", "held")}
        typer.echo(printable_json({"backup": chosen.name, **counts}))
        return
    typer.echo(
        f"{chosen.name} is back: {done.packs} packs, {done.objects} large bodies, {done.rows} rows.\n"
        f"{done.mailboxes} mailboxes have a new UIDVALIDITY: clients read them anew.\n"
        f"{done.held} recipients elsewhere, and mail to others elsewhere that came after the backup, may have been sent"
        " already: it is held. After the start `barid queue list` shows it, `barid queue release` sends it,"
        " `barid queue drop` ends it."
    )


@contextlib.contextmanager
def _told(command: str) -> Iterator[None]:
    """What a person can mend is one line, and an exit code."""
    from barid_runtime.failures import EXPECTED, exit_code, sentence

    from ..backup.layout import BackupError
    from ..folder import FolderError

    expected: tuple[type[Exception], ...] = (BackupError, FolderError, *EXPECTED)
    try:
        yield
    except expected as error:
        typer.echo(f"barid {command}: {printable(sentence(error))}", err=True)
        raise typer.Exit(exit_code(error)) from None


@contextlib.contextmanager
def _bar() -> "Iterator[Progress]":
    """On a terminal; else nothing is drawn."""
    if not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int | None) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield report


def _told_of(backup: "Backup") -> dict[str, Any]:
    manifest = backup.manifest
    return {
        "name": backup.name,
        "folder": str(backup.folder),
        "kind": manifest.kind,
        "began": _moment(manifest.began),
        "ended": _moment(manifest.ended),
        "journal": manifest.journal,
        "packs": manifest.packs,
        "objects": manifest.objects,
        "size": manifest.size,
        "rows": {name: sum(each.rows.values()) for name, each in manifest.services.items()},
        "missing": list(manifest.missing),
        "rescued": list(manifest.rescued),
    }


def _moment(ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _size(count: int) -> str:
    from .output import size

    return size(count)
