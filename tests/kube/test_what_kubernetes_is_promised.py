"""Drains, probes and budgets, as the manifests mean them."""

import imaplib
import smtplib
import time
from collections.abc import Callable

import pytest

from .installation import Installation
from .kubectl import Kubectl, KubectlError, is_ready

SESSIONS = 6
"""Of each kind, so that both replicas have some."""

DRAINED_WITHIN = 40.0
"""Seconds: preStop, drain_seconds, a margin."""

EVICTION = '{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "%s", "namespace": "barid"}}'


def test_sessions_are_told_that_their_pod_ends(installation: Installation, kubectl: Kubectl) -> None:
    mta = [smtplib.SMTP(*installation.smtp, timeout=DRAINED_WITHIN) for _ in range(SESSIONS)]
    mailboxes = [imaplib.IMAP4(*installation.imap, timeout=DRAINED_WITHIN) for _ in range(SESSIONS)]
    for each in mta:
        each.ehlo()
    kubectl("rollout", "restart", "deployment/smtp-ingress", "deployment/mss")

    assert [each.getreply()[0] for each in mta] == [421] * SESSIONS
    assert [each.readline()[:5] for each in mailboxes] == [b"* BYE"] * SESSIONS

    print(f"restarted in {kubectl.wait_ready('deployment/smtp-ingress', 'deployment/mss'):.0f} s")
    for each in mta:
        each.close()
    for box in mailboxes:
        box.shutdown()


def test_a_pod_that_drains_takes_sessions_until_load_balancers_know(installation: Installation) -> None:
    """Every connection is answered while both replicas are replaced, one by one."""
    installation.kubectl("rollout", "restart", "deployment/smtp-ingress")
    until = time.monotonic() + 25
    done = 0
    while time.monotonic() < until:
        with smtplib.SMTP(*installation.smtp, timeout=10) as client:
            assert client.noop()[0] == 250
            done += 1
        time.sleep(0.05)
    installation.kubectl.wait_ready("deployment/smtp-ingress")
    print(f"{done} sessions, each greeted and answered")


@pytest.mark.parametrize("component", ["directory", "smtp-ingress", "mda", "mss", "bus"])
def test_only_one_at_a_time_is_evicted(kubectl: Kubectl, component: str) -> None:
    pods = [each["metadata"]["name"] for each in kubectl.pods(component)]
    assert len(pods) >= 2
    _evict(kubectl, pods[0])
    with pytest.raises(KubectlError, match="disruption budget"):
        _evict(kubectl, pods[1])
    _until_ready(kubectl, component, len(pods))


def test_a_database_that_is_away_makes_pods_unready_and_restarts_none(
    installation: Installation, kubectl: Kubectl
) -> None:
    """Mail is accepted meanwhile, from what the ingress knows, and filed afterwards."""
    known = installation.account()
    for n in range(10):  # so that both ingresses come to know the recipient
        installation.send("s@elsewhere.test", known, f"before {n}")
    installation.expect(known, "before 9", within=30)
    before = kubectl.restarts()
    kubectl("scale", "statefulset/postgres", "--replicas=0")
    try:
        _until(lambda: not any(map(is_ready, kubectl.pods("mailstore"))), "the mailstore is ready without its tables")
        sent = [f"meanwhile {n}" for n in range(10)]
        began = time.monotonic()
        for subject in sent:
            installation.send("s@elsewhere.test", known, subject)
        print(f"{len(sent)} mails accepted in {time.monotonic() - began:.1f} s without the database")
        assert all(map(is_ready, kubectl.pods("smtp-ingress")))
        time.sleep(35)  # a liveness probe that asked too much would have ended pods by now: three times 10 s
        assert kubectl.restarts() == before
    finally:
        kubectl("scale", "statefulset/postgres", "--replicas=1")
    print(f"ready again after {kubectl.wait_ready('statefulset/postgres', 'deployment/mailstore'):.0f} s")
    for subject in sent:
        installation.expect(known, subject, within=60)


def _evict(kubectl: Kubectl, pod: str) -> None:
    kubectl("create", "--raw", f"/api/v1/namespaces/barid/pods/{pod}/eviction", "-f", "-", stdin=EVICTION % pod)


def _until_ready(kubectl: Kubectl, component: str, count: int) -> None:
    _until(
        lambda: len(ready := kubectl.pods(component)) >= count and all(map(is_ready, ready)),
        f"{component} is not whole again",
    )


def _until(true: Callable[[], bool], otherwise: str, within: float = 120.0) -> None:
    until = time.monotonic() + within
    while not true():
        assert time.monotonic() < until, otherwise
        time.sleep(0.5)
