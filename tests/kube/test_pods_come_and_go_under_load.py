"""Pods are replaced and deleted while mail comes in by every door. What was acknowledged stands where it belongs, once.

The load and the books are those of tests/chaos; what befalls the system is what Kubernetes does to pods.
"""

import random
import threading
import time
from collections.abc import Iterator

import pytest

from ..chaos.books import check
from ..chaos.load import Load
from ..chaos.sink import Sink
from ..chaos.town import Town, settle
from .installation import PARTS, SERVICES, Installation
from .kubectl import Kubectl, is_ready

BETWEEN = 30
"""Mails accepted before each blow."""

DELETIONS = 8
RESTORED_WITHIN = 180.0

SETTLED_WITHIN = 120.0
"""Seconds: a lease runs out after 6, packs of who was killed are looked at after 16, the reconciler looks every one."""


class Replicas(threading.Thread):
    """How many the ingress's autoscaler wants, every other second."""

    def __init__(self, kubectl: Kubectl) -> None:
        super().__init__(daemon=True)
        self._kubectl = kubectl
        self._over = threading.Event()
        self.wanted: list[int] = []

    def run(self) -> None:
        while not self._over.wait(2):
            self.wanted.append(self.now())

    def now(self) -> int:
        return int(self._kubectl.get("hpa", "smtp-ingress")["status"].get("desiredReplicas", 0))

    def stop(self) -> None:
        self._over.set()
        self.join()


@pytest.fixture(scope="module")
def town(installation: Installation) -> Town:
    return settle(installation)


@pytest.fixture
def replicas(kubectl: Kubectl) -> Iterator[Replicas]:
    found = Replicas(kubectl)
    found.start()
    yield found
    found.stop()


def test_nothing_is_lost_and_nothing_is_there_twice(
    installation: Installation, town: Town, sink: Sink, kubectl: Kubectl, replicas: Replicas
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    load = Load(installation, town, seed, huge=1).start()
    began = time.monotonic()
    deaths = 0
    for name in SERVICES:
        load.until(more=BETWEEN)
        kubectl("rollout", "restart", f"deployment/{name}")
        print(f"{name} restarted in {kubectl.wait_ready(f'deployment/{name}', within=RESTORED_WITHIN):.0f} s")
        deaths += 2 * (name == "relay")
    assert kubectl.restarts() == {}, "a probe took a pod for dead"
    for component in rng.choices([*SERVICES, *PARTS], k=DELETIONS):
        load.until(more=BETWEEN)
        deaths += component == "relay"
        pause = _delete_one(kubectl, component, rng)
        print(f"one of {component} replaced after {pause:.0f} s, {load.accepted} accepted so far")
    load.stop()
    seconds = time.monotonic() - began
    print(f"{load.accepted} acknowledged in {seconds:.0f} s; the ingress's replicas: {_changes(replicas.wanted)}")
    check(installation, town, load, sink, deaths, within=SETTLED_WITHIN)
    assert max(replicas.wanted) > 2, "the ingress was not scaled up under load"
    until = time.monotonic() + RESTORED_WITHIN
    while replicas.now() > 2:
        assert time.monotonic() < until, "the ingress was not scaled down again"
        time.sleep(2)
    print(f"two ingresses again {time.monotonic() - began - seconds:.0f} s after the load")


def _delete_one(kubectl: Kubectl, component: str, rng: random.Random) -> float:
    """Any of its pods, in order or at once; seconds until another one is ready in its place."""
    label = {"nats": "bus", "postgres": "database", "s3": "objects"}.get(component, component)
    workload = f"{'statefulset' if component in PARTS else 'deployment'}/{component}"
    victim = rng.choice(kubectl.pods(label))["metadata"]
    how = [] if rng.random() < 0.5 else ["--grace-period=1"]  # none of 0: two might run under one name of a StatefulSet
    kubectl("delete", "pod", victim["name"], "--wait=false", *how)
    began = time.monotonic()
    while True:
        now = kubectl.pods(label)
        wanted = kubectl.get(workload)["spec"]["replicas"]  # the autoscaler's choice may change meanwhile
        gone = victim["uid"] not in [each["metadata"]["uid"] for each in now]
        if gone and len(now) >= wanted and all(map(is_ready, now)):
            return time.monotonic() - began
        assert time.monotonic() < began + RESTORED_WITHIN, kubectl.told()
        time.sleep(0.5)


def _changes(wanted: list[int]) -> str:
    return " → ".join(str(each) for n, each in enumerate(wanted) if n == 0 or wanted[n - 1] != each)
