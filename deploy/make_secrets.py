#!/usr/bin/env python3
"""Make the secrets of a cluster: a password of its own for each service on the bus, in the database and so on.

    deploy/make_secrets.py kubernetes | kubectl apply -f -   # into the namespace `barid`, once
    deploy/make_secrets.py folder deploy/compose/secrets     # for docker-compose.yml, which must be new or empty

What an installation has already is told by `--database HOST:PORT/NAME`, `--s3-access-key KEY` and
`--s3-secret-key-file FILE`; the roles in that database then take the passwords of the secret `postgres`.
Needs nothing but Python.
"""

import argparse
import json
import secrets
import sys
from pathlib import Path

SERVICES = ("directory", "smtp_ingress", "relay", "mda", "mailstore", "mss", "admin")
WITH_TABLES = ("directory", "relay", "mailstore")

BUS = ("nats-0.nats", "nats-1.nats", "nats-2.nats")

Secrets = dict[str, dict[str, str]]
"""Name of the secret → name of the file → content."""


def make(database: str, access_key: str, secret_key: str) -> Secrets:
    """Files named as settings are read by BARID_SECRETS_DIR; the others are for NATS, PostgreSQL and the S3 server."""
    bus = {service: password() for service in SERVICES}
    roles = {service: password() for service in WITH_TABLES}
    found: Secrets = {}
    for service in SERVICES:
        own = found[service.replace("_", "-")] = {"bus_password": bus[service]}
        if service in roles:
            own["database_url"] = f"postgresql://{service}:{roles[service]}@{database}"
    found["admin"]["admin_api_key"] = password()
    found["s3"] = {"s3_access_key": access_key, "s3_secret_key": secret_key}
    found["nats"] = {"passwords.conf": nats_users(bus), "routes.conf": nats_routes(password())}
    found["postgres"] = {"postgres": password(), **roles}
    found["s3-server"] = {
        "seaweedfs.json": json.dumps(seaweedfs(access_key, secret_key)),
        "auth_key": f"{access_key},{secret_key}",
    }
    return found


def password() -> str:
    """Hexadecimal: it stands in URLs and in configurations as it is."""
    return secrets.token_hex(24)


def nats_users(passwords: dict[str, str]) -> str:
    """Variables of users.conf. In quotes: 12e4… would be read as a number."""
    return "".join(f'{user.upper()}_PASSWORD: "{each}"\n' for user, each in passwords.items())


def nats_routes(between: str) -> str:
    """Variables of nats.conf, for servers that log in to each other; apart, for NATS takes none that is not used."""
    routes = [f"nats://route:{between}@{each}:6222" for each in BUS]
    return f'ROUTE_PASSWORD: "{between}"\nROUTES: {json.dumps(routes)}\n'


def seaweedfs(access_key: str, secret_key: str) -> object:
    return {
        "identities": [
            {
                "name": "barid",
                "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
                "actions": ["Admin", "Read", "Write", "List"],
            }
        ]
    }


def as_manifest(found: Secrets) -> str:
    items = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": "barid",
                "labels": {"app.kubernetes.io/part-of": "barid"},
            },
            "type": "Opaque",
            "stringData": files,
        }
        for name, files in found.items()
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1)


def into_folder(found: Secrets, folder: Path) -> None:
    """The folder is the owner's alone; its files may be read by all: Compose shows them to containers as they are."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty: its secrets belong together; move it away to make others")
    for name, files in found.items():
        (folder / name).mkdir(mode=0o755)
        for file, content in files.items():
            (folder / name / file).write_text(content)
            (folder / name / file).chmod(0o444)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("where", choices=("kubernetes", "folder"))
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--database", default="postgres:5432/barid", metavar="HOST:PORT/NAME")
    parser.add_argument("--s3-access-key", default="barid-" + secrets.token_hex(8), metavar="KEY")
    parser.add_argument("--s3-secret-key-file", type=Path, metavar="FILE")
    told = parser.parse_args()
    if (told.where == "folder") != (told.folder is not None):
        parser.error("`folder` needs the name of one, `kubernetes` takes none")
    file: Path | None = told.s3_secret_key_file
    secret_key = file.read_text().strip() if file else password()
    found = make(told.database, told.s3_access_key, secret_key)
    if told.where == "folder":
        into_folder(found, told.folder)
    else:
        sys.stdout.write(as_manifest(found) + "\n")


if __name__ == "__main__":
    main()
