"""nats-server's configuration: on loopback, with JetStream, a user for each service with its own permissions."""

import json
from collections.abc import Mapping
from pathlib import Path

from .permissions import PERMISSIONS, Permissions, inbox_of

MAX_PAYLOAD = 8 * 1024 * 1024
"""Bytes of one message. A batch of accepted mails with capped headers stays well below; the server's own limit."""


def configuration(data: Path, port: int, users: Mapping[str, str]) -> str:
    """In NATS' own configuration language; JSON strings are strings in it. port: 0 for any. users: name → password."""
    lines = [
        "server_name: barid",
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
    return "\n".join(lines) + "\n"


def _permissions(user: str, allowed: Permissions) -> str:
    return json.dumps(
        {
            "publish": {"allow": list(allowed.publish)},
            "subscribe": {"allow": [*allowed.subscribe, inbox_of(user)]},
            "allow_responses": {"max": 1, "expires": "2m"},
        }
    )
