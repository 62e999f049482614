"""Barid in a Kubernetes, as tests see it: a `MailSystem` whose doors lead to the cluster's Services."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from barid_testing.certificates import Authority
from barid_testing.mail_system import Endpoint, MailSystem

from .forwarder import Forwarder
from .kubectl import PROGRAM, Kubectl, Object

ROOT = Path(__file__).resolve().parents[2]
OVERLAY = Path(__file__).parent / "overlay"
NAMESPACE = ROOT / "deploy/k8s/base/namespace.yaml"

SERVICES = ("directory", "smtp-ingress", "relay", "mda", "mailstore", "mss", "admin")
PARTS = ("nats", "postgres", "s3")
WORKLOADS = (*(f"statefulset/{name}" for name in PARTS), *(f"deployment/{name}" for name in SERVICES))

DOORS = {
    # listener of ours → (Service, its port, whether TLS is spoken to it)
    "smtp": ("smtp-ingress", "smtp", False),
    "submission": ("smtp-ingress", "submissions", True),
    "submissions": ("smtp-ingress", "submissions", False),
    "lmtp": ("smtp-ingress", "lmtp", False),
    "imap": ("mss", "imaps", True),
    "imaps": ("mss", "imaps", False),
    "pop3": ("mss", "pop3s", True),
    "pop3s": ("mss", "pop3s", False),
    "admin": ("admin", "http", False),
}

OURS = "barid.test/made-by-tests"
"""Label of a namespace that tests made, and so may use and remove."""

READY_SECONDS = 300.0
"""Three NATS servers, PostgreSQL and fourteen pods of ours from nothing, on a machine that does other things too."""


class Installation(MailSystem):
    """Made in the namespace `barid`, which must not be there yet, and goes with it."""

    def __init__(self, folder: Path, kubectl: Kubectl) -> None:
        super().__init__(folder)
        self.kubectl = kubectl
        self.forwarder = Forwarder()
        self.ready_after: dict[str, float] = {}
        """Workload → seconds from `apply` until all its replicas were ready."""

    @property
    def node(self) -> str:
        """An address at which nodes' ports are reached."""
        if given := os.environ.get("BARID_KUBE_NODE"):
            return given
        addresses = {a["type"]: a["address"] for a in self.kubectl.get("nodes")["items"][0]["status"]["addresses"]}
        return str(addresses.get("ExternalIP") or addresses["InternalIP"])

    @property
    def here(self) -> str:
        """Our own address, as pods see us."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
            way.connect((self.node, 9))
            return os.environ.get("BARID_KUBE_HERE") or str(way.getsockname()[0])

    def install(self, routes: dict[str, Endpoint]) -> None:
        """routes: domain → host of the tests that takes mail for it, by an address that pods reach. Raises LookupError
        if there is a namespace that no tests made."""
        labels = self._labels()
        if labels is None:
            self.kubectl("create", "-f", str(NAMESPACE), "--save-config")
            self.kubectl("label", "namespace", "barid", f"{OURS}=true")
            secrets = subprocess.run(
                [sys.executable, ROOT / "deploy/make_secrets.py", "kubernetes"],
                capture_output=True,
                text=True,
                check=True,
            )
            self.kubectl("apply", "-f", "-", stdin=secrets.stdout)
            self._certify_bus()
        elif OURS not in labels:
            raise LookupError("the namespace barid is there already, and no tests made it: it is not touched")
        told = json.dumps({domain: f"{host}:{port}" for domain, (host, port) in routes.items()})
        self.kubectl("delete", "configmap", "tester", "--ignore-not-found")
        self.kubectl("create", "configmap", "tester", f"--from-literal=BARID_ROUTES={told}")
        manifests = subprocess.run(
            [PROGRAM, "kustomize", OVERLAY], capture_output=True, text=True, check=True, env={"KUBECTL_KUBERC": "false"}
        )
        began = time.monotonic()
        self.kubectl("apply", "-f", "-", stdin=manifests.stdout, within=120)
        if labels is not None:
            self.kubectl("rollout", "restart", "deployment/relay")
        for workload in WORKLOADS:
            self.kubectl.wait_ready(workload, within=READY_SECONDS)
            self.ready_after[workload] = time.monotonic() - began

    def _certify_bus(self) -> None:
        """As cert-manager would."""
        authority = Authority(self.folder / "authority")
        pair = authority.issue("bus", "nats-0.nats", "nats-1.nats", "nats-2.nats")
        files = {"ca.crt": authority.certificate, "tls.crt": pair.certificate, "tls.key": pair.key}
        self.kubectl(
            "create", "secret", "generic", "bus-tls", *(f"--from-file={name}={path}" for name, path in files.items())
        )

    @property
    def is_ours(self) -> bool:
        return OURS in (self._labels() or ())

    def _labels(self) -> dict[str, str] | None:
        found = self.kubectl("get", "namespace", "barid", "--ignore-not-found", "-o", "json")
        return json.loads(found)["metadata"].get("labels", {}) if found else None

    def start(self) -> Self:
        """Find the doors."""
        self.data.mkdir(parents=True, exist_ok=True)
        node = self.node
        services: dict[str, Object] = {}
        for name in {service for service, _, _ in DOORS.values()}:
            ports = self.kubectl.get("service", name)["spec"]["ports"]
            services[name] = {each["name"]: each["nodePort"] for each in ports}
        found = {
            listener: self.forwarder.open(Endpoint(node, services[service][port]), tls=tls)
            for listener, (service, port, tls) in DOORS.items()
        }
        written = {listener: f"{host}:{port}" for listener, (host, port) in found.items()}
        key = base64.b64decode(self.kubectl.get("secret", "admin")["data"]["admin_api_key"]).decode()
        # As `barid up` writes them; the process that keeps the ports is this one.
        status = {"listeners": {"kubernetes": written}, "pids": {"barid": os.getpid()}, "api_key": key}
        for file in (self.folder / "ready.json", self.data / "running.json"):
            file.write_text(json.dumps(status))
        self._read_status()
        return self

    def stop(self) -> None:
        self.forwarder.close()

    def remove(self) -> None:
        self.kubectl("delete", "-f", str(NAMESPACE), "--timeout=180s", within=200)

    def log(self, most: int = 4_000) -> str:
        return self.kubectl.told()[-most:]
