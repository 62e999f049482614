"""`barid cluster scale`: more or fewer processes of a service of a running `barid up --size cluster`."""

from pathlib import Path
from typing import Annotated

import typer

from ..plan import PlanError, replicas_of
from ..terminal import printable_json
from .command import DEFAULT_DATA, EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE, fail

PATIENCE = 180.0
"""Seconds for the answer: a process may take 60 to be ready, and one that goes as long as its drain."""


def scale(
    wanted: Annotated[list[str], typer.Argument(metavar="SERVICE=N…", help="how many processes of which service")],
    data: Annotated[
        Path, typer.Option("--data", envvar="BARID_DATA", help="data folder of a running `barid up`")
    ] = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="print what was done as JSON")] = False,
) -> None:
    """Bring services of the `barid up --size cluster` on this machine to so many processes. Those that come are ready
    when this ends; those that go (the highest numbers first) have finished what they had in hand. On Kubernetes that is
    `kubectl scale`."""
    from ..control import NotRunning, ask

    try:
        counts = replicas_of(",".join(wanted), "")
        answer = ask(data.absolute(), {"scale": counts}, PATIENCE)
    except PlanError as error:
        fail(str(error), EXIT_USAGE)
    except NotRunning as error:
        fail(f"{error}: name its folder with --data; on Kubernetes use `kubectl scale`", EXIT_UNREACHABLE)
    except TimeoutError:
        fail(f"not done in {PATIENCE:.0f} s, but under way; `barid cluster status` shows who is there", EXIT_REFUSED)
    if "error" in answer:
        fail(str(answer["error"]), EXIT_REFUSED)
    if as_json:
        typer.echo(printable_json(answer))
        return
    for service, count in answer["replicas"].items():
        typer.echo(f"{service}: {count} process{'' if count == 1 else 'es'}")
