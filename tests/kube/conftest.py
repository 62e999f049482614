"""On a real Kubernetes, the one that KUBECONFIG names: `make kube-test`. No part of `make test`.

The images of `make images` must be where its nodes find them. The namespace `barid` must not be there; it is made, and
removed at the end (BARID_KUBE_KEEP=1 leaves it to the next run). Nodes' ports must be reachable from here
(BARID_KUBE_NODE: at which address), and we from pods (BARID_KUBE_HERE: at which).
"""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from barid_testing.mail_system import Endpoint, MailSystem

from ..chaos.sink import Sink
from ..chaos.town import SINK
from ..integration.conftest import OUTSIDE, THERE, Outside, World, free_port, outside  # noqa: F401 - a fixture
from .installation import Installation
from .kubectl import Kubectl

collect_ignore_glob = [] if os.environ.get("BARID_KUBE_TEST") else ["test_*"]


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    return Kubectl()


@pytest.fixture(scope="session")
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture(scope="session")
def way_back() -> int:
    """A port on loopback that leads to the cluster's MTA, once that is there."""
    return free_port()


@pytest.fixture(scope="session")
def there(
    mail_systems: Callable[..., MailSystem], way_back: int, tmp_path_factory: pytest.TempPathFactory
) -> MailSystem:
    """Another Barid, of the embedded size, on this machine."""
    users = tmp_path_factory.mktemp("there") / "users"
    users.write_text(f"postmaster@{THERE}:unused\n")
    return mail_systems(
        *("--hostname", f"mx.{THERE}", "--accounts", str(users)), *("--route", f"example.test=127.0.0.1:{way_back}")
    )


@pytest.fixture(scope="session")
def installation(
    kubectl: Kubectl,
    sink: Sink,
    outside: Outside,  # noqa: F811
    there: MailSystem,
    way_back: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("kubernetes"), kubectl)
    doors = installation.forwarder
    hosts = {THERE: there.smtp.port, OUTSIDE: outside.port, SINK: sink.port}
    routes = {d: doors.open(Endpoint("127.0.0.1", port), host=installation.here) for d, port in hosts.items()}
    try:
        installation.install(routes)
        installation.start()
        doors.open(installation.smtp, port=way_back)
        yield installation
    except LookupError as refusal:
        pytest.exit(str(refusal), 1)
    finally:
        if not os.environ.get("BARID_KUBE_KEEP") and installation.is_ours:
            began = time.monotonic()
            installation.remove()
            print(f"removed after {time.monotonic() - began:.0f} s")
        installation.stop()


@pytest.fixture(scope="session")
def world(installation: Installation, there: MailSystem, outside: Outside) -> World:  # noqa: F811
    """The cluster here, another system there."""
    return World(installation, there, outside)
