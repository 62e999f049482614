"""What kustomize makes of an overlay, as Python sees it; and what a pod of it mounts and is told."""

import functools
import os
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy" / "k8s"
OVERLAYS = sorted(path.name for path in (K8S / "overlays").iterdir())
OPTIONAL = ("gateway", "ingress-volume")
"""Components that no overlay has, each tried on top of `prod`."""

Manifest = dict[str, Any]

KUBECTL = str(Path(sysconfig.get_path("scripts"), "kubectl"))


@functools.cache
def build(folder: Path) -> tuple[Manifest, ...]:
    """Raises AssertionError with what kustomize complains of."""
    done = subprocess.run(
        [KUBECTL, "kustomize", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={"KUBECTL_KUBERC": "false"},  # nobody's preferences, no cluster
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr  # deprecated fields are only warned of
    return tuple(each for each in yaml.safe_load_all(done.stdout) if each is not None)


def with_component(component: str, into: Path) -> Path:
    """A kustomization of `prod` and one component more."""
    into.mkdir(parents=True, exist_ok=True)
    text = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "barid",
        "resources": [os.path.relpath(K8S / "overlays" / "prod", into)],
        "components": [os.path.relpath(K8S / "components" / component, into)],
    }
    (into / "kustomization.yaml").write_text(yaml.safe_dump(text))
    return into


def of_kind(manifests: tuple[Manifest, ...], *kinds: str) -> list[Manifest]:
    return [each for each in manifests if each["kind"] in kinds]


def workloads(manifests: tuple[Manifest, ...]) -> list[Manifest]:
    return of_kind(manifests, "Deployment", "StatefulSet", "Job")


def pod_of(workload: Manifest) -> Manifest:
    pod: Manifest = workload["spec"]["template"]["spec"]
    return pod


def containers(workload: Manifest) -> list[Manifest]:
    pod = pod_of(workload)
    return [*pod.get("initContainers", ()), *pod["containers"]]


def component_of(workload: Manifest) -> str:
    return str(workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"])


def is_ours(workload: Manifest) -> bool:
    """One of Barid's services, as against what they stand on."""
    labels = workload["spec"]["template"]["metadata"]["labels"]
    return bool(labels["app.kubernetes.io/name"] == "barid")


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for rule in selector.get("matchExpressions", ()):
        there = labels.get(rule["key"]) in rule["values"]
        if there != (rule["operator"] == "In"):
            return False
    return True


def volume_sources(pod: Manifest) -> Iterator[tuple[str, str, Manifest]]:
    """(`secret` or `configMap`, its name, the source) of each volume."""
    for volume in pod.get("volumes", ()):
        sources = [volume, *volume.get("projected", {}).get("sources", ())]
        for source in sources:
            if "secret" in source:
                secret = source["secret"]
                yield "secret", secret.get("secretName") or secret["name"], secret
            if "configMap" in source:
                yield "configMap", source["configMap"]["name"], source["configMap"]
