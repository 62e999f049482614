"""`kubectl` for tests: what it says, as text or as JSON."""

import json
import os
import subprocess
import sysconfig
import time
from pathlib import Path
from typing import Any

NAMESPACE = "barid"
PROGRAM = os.environ.get("KUBECTL") or str(Path(sysconfig.get_path("scripts"), "kubectl"))

Object = dict[str, Any]


class KubectlError(AssertionError):
    """Its text is what kubectl said."""


class Kubectl:
    """Of the cluster that KUBECONFIG names, in the namespace of Barid."""

    def __call__(self, *arguments: str, stdin: str | None = None, within: float = 60.0) -> str:
        """Raises KubectlError."""
        done = subprocess.run(
            [PROGRAM, "--namespace", NAMESPACE, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        if "Warning:" in done.stderr and arguments[0] in ("apply", "create"):
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *what: str) -> Any:
        return json.loads(self("get", *what, "-o", "json"))

    def pods(self, component: str = "") -> list[Object]:
        """That are not ending, ours or (by their component) of what we stand on."""
        selector = f"app.kubernetes.io/component={component}" if component else "app.kubernetes.io/part-of=barid"
        found = self.get("pods", "-l", selector)["items"]
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    def wait_ready(self, *workloads: str, within: float = 180.0) -> float:
        """Until all their replicas are, and no other; seconds it took."""
        began = time.monotonic()
        for workload in workloads:
            left = max(1.0, within - (time.monotonic() - began))
            try:
                self("rollout", "status", workload, f"--timeout={left:.0f}s", within=left + 10)
            except KubectlError as error:
                raise KubectlError(f"{error}\n{self.told()}") from None
        return time.monotonic() - began

    def restarts(self) -> dict[str, int]:
        """Pod → how often its container was started again, where it was."""
        counts = {
            each["metadata"]["name"]: sum(status["restartCount"] for status in each["status"]["containerStatuses"])
            for each in self.pods()
            if each["status"].get("containerStatuses")
        }
        return {name: count for name, count in counts.items() if count}

    def told(self) -> str:
        """For a failure's message: the pods, and what befell them."""
        events = self("get", "events", "--sort-by=.lastTimestamp").splitlines()[-15:]
        return "\n".join([self("get", "pods", "-o", "wide"), *events])


def is_ready(pod: Object) -> bool:
    conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", ())}
    return conditions.get("Ready") == "True"
