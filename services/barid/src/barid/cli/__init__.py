"""Commands over the admin API, each group a Typer of its own: `barid <group> <command>`.

Exit codes: 0 done, 1 refused, 2 wrong usage, 3 the API can't be reached. `--json` prints what the API said. What a
command needs is imported when it runs, so that `barid --help` stays quick.
"""

import typer

from . import account, alias, bans, captured, cluster, domain, explain, held, queue, scale, sieve, status, trace, wait

apps: dict[str, typer.Typer] = {
    "domain": domain.app,
    "account": account.app,
    "alias": alias.app,
    "sieve": sieve.app,
    "bans": bans.app,
    "queue": queue.app,
    "held": held.app,
    "captured": captured.app,
    "trace": trace.app,
    "explain": explain.app,
    "wait": wait.app,
    "status": status.app,
    "cluster": cluster.app,
}
"""Name → group (or a command that stands alone), to be mounted by name."""

cluster.app.command("scale")(scale.scale)
