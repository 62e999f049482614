"""Each image starts as its user on a root that nobody can write to, says that it lives, and ends when it is told to.

For root with buildah, after `make images`; no part of `make test`. Images are mounted and entered by chroot, so that
this works where containers can't be run: what is tested is the image, not an engine.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from barid.roster import SERVICES

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("buildah"), reason="needs root and buildah")

BUILDAH = os.environ | {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
TAG = os.environ.get("TAG", "dev")
START_SECONDS = 60

ENTER = """
set -e
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
mount -t tmpfs -o mode=700,uid=10001,gid=10001 tmpfs "$1/data"
mount -t tmpfs tmpfs "$1/tmp"
mount -o remount,bind,ro "$1"
root="$1"; shift
exec chroot --userspec=10001:10001 "$root" "$@"
"""


def buildah(*arguments: str) -> str:
    return subprocess.run(
        ["buildah", *arguments], capture_output=True, text=True, check=True, env=BUILDAH
    ).stdout.strip()


@pytest.fixture(params=SERVICES)
def image(request: pytest.FixtureRequest) -> str:
    name = f"localhost/barid/{request.param.replace('_', '-')}:{TAG}"
    try:
        buildah("inspect", "--type", "image", name)
    except subprocess.CalledProcessError:
        pytest.fail(f"there is no image {name}: make images")
    return name


@pytest.fixture
def root(image: str) -> Iterator[Path]:
    container = buildah("from", "--pull-never", image)
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("rm", container)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def enter(root: Path, environment: dict[str, str], *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", ENTER, "enter", str(root), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )


def test_it_starts_lives_and_ends(image: str, root: Path) -> None:
    config = json.loads(buildah("inspect", "--type", "image", image))["OCIv1"]["config"]
    assert config["User"] == "10001:10001"
    told = dict(each.split("=", 1) for each in config["Env"])
    # Listeners' ports are any: other tests run on this machine, too.
    told |= {name: "0" for name in told if name.endswith("_PORT")}
    told |= {
        "BARID_HEALTH_PORT": str(free_port()),
        "BARID_HOST": "127.0.0.1",
        "BARID_BUS_URL": f"nats://127.0.0.1:{free_port()}",  # nobody's: all services wait for it
        "BARID_ADMIN_API_KEY": "for-the-test",
    }

    process = enter(root, told, *config["Entrypoint"])
    try:
        until = time.monotonic() + START_SECONDS
        while True:
            probe = enter(root, told, "/opt/barid/bin/python", "-m", "barid_runtime.probe", "livez")
            words, _ = probe.communicate(timeout=START_SECONDS)
            if probe.returncode == 0:
                break
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < until, words
            time.sleep(0.2)
        assert words.strip() == "200 ok"

        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "Uid:\t10001\t10001\t10001\t10001" in status
        touch = enter(root, told, "/bin/sh", "-c", "touch /opt/barid/x || touch /etc/x")
        assert "Read-only file system" in touch.communicate()[0]

        process.send_signal(signal.SIGTERM)
        log, _ = process.communicate(timeout=30)
        assert process.returncode == 0, log
        assert "Traceback" not in log
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
