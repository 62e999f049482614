"""The bus's configuration is one that nats-server takes, with the users that the code knows."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from barid_runtime.bus.embedded import find_program
from barid_testing.certificates import Authority

from .manifests import K8S, ROOT


def test_users_are_those_of_the_code() -> None:
    """If not: .venv/bin/python deploy/nats_users.py > deploy/k8s/parts/nats/users.conf"""
    made = runpy.run_path(str(ROOT / "deploy/nats_users.py"))["users_conf"]()
    assert (K8S / "parts/nats/users.conf").read_text() == made


@pytest.mark.parametrize(
    ("configuration", "tls"),
    [
        ("parts/nats/nats.conf", "parts/nats"),
        ("overlays/single-node/nats.conf", "parts/nats"),
        ("parts/nats/nats.conf", "components/bus-tls"),
    ],
)
def test_a_server_takes_it(configuration: str, tls: str, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    subprocess.run([sys.executable, ROOT / "deploy/make_secrets.py", "folder", secrets], check=True)
    (tmp_path / "nats.conf").write_text((K8S / configuration).read_text())
    (tmp_path / "users.conf").write_text((K8S / "parts/nats/users.conf").read_text())
    authority = Authority(tmp_path / "authority")
    pair = authority.issue("bus", "127.0.0.1")
    for name in ("tls.conf", "route-tls.conf"):
        text = (K8S / tls / name).read_text()
        for file, path in (("tls.crt", pair.certificate), ("tls.key", pair.key), ("ca.crt", authority.certificate)):
            text = text.replace(f"/bus-tls/{file}", str(path))
        (tmp_path / name).write_text(text)
    for file in (secrets / "nats").iterdir():
        (tmp_path / file.name).write_text(file.read_text())

    done = subprocess.run(
        [find_program(), "--config", tmp_path / "nats.conf", "-t"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"POD_NAME": "nats-0"},
    )

    assert done.returncode == 0, done.stderr
    assert "is valid" in done.stderr
