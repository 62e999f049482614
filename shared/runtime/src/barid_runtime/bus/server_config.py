"""nats-server's configuration: on loopback, with JetStream, a user for each service with its own permissions.

A server of a cluster has a name that stays its own, since streams remember by name who keeps them, and a port where it
and the others (its routes) talk.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .permissions import PERMISSIONS, Permissions, inbox_of

MAX_PAYLOAD = 8 * 1024 * 1024
"""Bytes of one message. A batch of accepted mails with capped headers stays well below; the server's own limit."""

ALONE = "barid"
"""The name of a server that has no others."""


@dataclass(frozen=True, slots=True)
class Routes:
    """A server's place in its cluster. name: unlike the others', and always the same. port: of the routes to it.
    peers: those ports of all. password: between servers."""

    name: str
    port: int
    peers: tuple[int, ...]
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Clients must use it. clients: authorities of the certificates that they must show, too, if any."""

    certificate: Path
    key: Path
    clients: Path | None = None


def configuration(
    data: Path, port: int, users: Mapping[str, str], routes: Routes | None = None, tls: ServerTls | None = None
) -> str:
    """In NATS' own configuration language; JSON strings are strings in it. port: 0 for any. users: name → password."""
    lines = [
        f"server_name: {json.dumps(routes.name if routes else ALONE)}",
        "host: 127.0.0.1",
        f"port: {port or -1}",
        f"ports_file_dir: {json.dumps(str(data))}",
        f"log_file: {json.dumps(str(data / 'nats.log'))}",
        "logfile_size_limit: 4MB",
        "logfile_max_num: 2",
        f"max_payload: {MAX_PAYLOAD}",
        f"max_pending: {8 * MAX_PAYLOAD}",
        "jetstream {",
        f"  store_dir: {json.dumps(str(data / 'jetstream'))}",
        "}",
    ]
    if users:
        lines.append("authorization { users: [")
        for user, password in users.items():
            allowed = PERMISSIONS[user]
            lines.append(
                f"  {{ user: {json.dumps(user)}, password: {json.dumps(password)},"
                f" permissions: {_permissions(user, allowed)} }}"
            )
        lines.append("]}")
    if routes:
        lines += _cluster(routes)
    if tls:
        lines.append("tls {")
        lines += [f"  cert_file: {json.dumps(str(tls.certificate))}", f"  key_file: {json.dumps(str(tls.key))}"]
        if tls.clients:
            lines += [f"  ca_file: {json.dumps(str(tls.clients))}", "  verify: true"]
        lines.append("}")
    return "\n".join(lines) + "\n"


def _permissions(user: str, allowed: Permissions) -> str:
    return json.dumps(
        {
            "publish": {"allow": list(allowed.publish)},
            "subscribe": {"allow": [*allowed.subscribe, inbox_of(user)]},
            "allow_responses": {"max": 1, "expires": "2m"},
        }
    )


def _cluster(routes: Routes) -> list[str]:
    peers = [f"nats://route:{routes.password}@127.0.0.1:{peer}" for peer in routes.peers]
    return [
        "cluster {",
        "  name: barid",
        "  host: 127.0.0.1",
        f"  port: {routes.port}",
        f"  authorization {{ user: route, password: {json.dumps(routes.password)} }}",
        f"  routes: {json.dumps(peers)}",
        "}",
    ]
