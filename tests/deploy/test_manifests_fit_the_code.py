"""What manifests name exists: images, settings, ports, probes, secrets, configurations, metrics, consumers."""

import json
import math
import re
import subprocess
import sys
from typing import Any

import pytest

from barid.roster import SERVICES
from barid_contracts.mail import ACCEPTED_STREAM
from barid_mda.handlers.service import DURABLE as MDA
from barid_relay.handlers.service import DURABLE as RELAY
from barid_runtime.settings import load

from .code import OF_THE_SOURCES, fields_of, fields_of_any, image_environment, metrics, setting, settings_of
from .manifests import (
    K8S,
    OPTIONAL,
    OVERLAYS,
    ROOT,
    Manifest,
    build,
    component_of,
    containers,
    is_ours,
    of_kind,
    pod_of,
    selects,
    volume_sources,
    with_component,
    workloads,
)

NAMES = [*OVERLAYS, *(f"prod+{component}" for component in OPTIONAL)]
MADE_BY_OTHERS = {"mail-tls": {"tls.crt", "tls.key"}, "bus-tls": {"tls.crt", "tls.key", "ca.crt"}}
"""Secrets that cert-manager (or the operator) makes."""
MARGIN = 5
"""Seconds between the end of the longest drain and SIGKILL."""


@pytest.fixture(params=NAMES, scope="session")
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, ...]:
    overlay, _, component = request.param.partition("+")
    if component:
        return build(with_component(component, tmp_path_factory.mktemp(component)))
    return build(K8S / "overlays" / overlay)


@pytest.fixture(scope="session")
def secrets() -> dict[str, dict[str, str]]:
    """What deploy/make_secrets.py makes: name → file → content."""
    done = subprocess.run(
        [sys.executable, ROOT / "deploy/make_secrets.py", "kubernetes"], capture_output=True, text=True, check=True
    )
    return {each["metadata"]["name"]: each["stringData"] for each in json.loads(done.stdout)["items"]}


def service_of(workload: Manifest) -> str:
    return component_of(workload).replace("-", "_")


def environment(built: tuple[Manifest, ...], container: Manifest) -> dict[str, str]:
    """What the process is told, the image's own settings included."""
    found = dict(image_environment())
    maps = {each["metadata"]["name"]: each["data"] for each in of_kind(built, "ConfigMap")}
    for source in container.get("envFrom", ()):
        found |= maps[source["configMapRef"]["name"]]
    return found | {each["name"]: each["value"] for each in container.get("env", ()) if "value" in each}


def test_every_service_is_there_and_has_an_image(built: tuple[Manifest, ...]) -> None:
    ours = {service_of(each): containers(each)[0]["image"] for each in workloads(built) if is_ours(each)}
    assert ours.keys() == SERVICES.keys()
    for service, image in ours.items():
        assert image.rpartition("/")[2].partition(":")[0] == service.replace("_", "-")
    for each in workloads(built):
        for container in containers(each):
            assert re.search(r":[\w.]+$", container["image"]), "an image without a tag is any image"
            assert not container["image"].endswith(":latest")


def test_every_variable_is_a_setting(built: tuple[Manifest, ...]) -> None:
    for workload in filter(is_ours, workloads(built)):
        (container,) = containers(workload)
        for each in container["env"]:
            assert setting(each["name"]) in fields_of(service_of(workload)), each["name"]
    (shared,) = [each for each in of_kind(built, "ConfigMap") if each["metadata"]["name"].startswith("settings-")]
    for variable in shared["data"]:
        known = setting(variable) in fields_of_any() or variable.removeprefix("BARID_") in OF_THE_SOURCES
        assert known, variable


def test_services_take_these_settings(
    built: tuple[Manifest, ...],
    secrets: dict[str, dict[str, str]],
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As they would at their start: the image's variables, the pod's, the files of its secrets."""
    for workload in filter(is_ours, workloads(built)):
        (container,) = containers(workload)
        folder = tmp_path / service_of(workload)
        folder.mkdir()
        for kind, name, _ in volume_sources(pod_of(workload)):
            if kind == "secret" and name in secrets:
                for file, content in secrets[name].items():
                    (folder / file).write_text(content)
        for file in ("ca.crt", "tls.crt", "tls.key", "ca-certificates.crt"):
            (folder / file).touch()
        told = environment(built, container) | {"BARID_SECRETS_DIR": str(folder)}
        told = {name: re.sub("/(bus-)?tls/|/etc/ssl/certs/", f"{folder}/", value) for name, value in told.items()}
        with monkeypatch.context() as patch:
            for name, value in told.items():
                patch.setenv(name, value)
            settings = load(settings_of(service_of(workload)))
        assert settings.bus_user == service_of(workload)
        assert settings.bus_password.get_secret_value()
        if "database_url" in fields_of(service_of(workload)):
            assert settings.database_url.get_secret_value().startswith(f"postgresql://{service_of(workload)}:")  # type: ignore[attr-defined]


def test_secrets_and_configurations_exist(built: tuple[Manifest, ...], secrets: dict[str, dict[str, str]]) -> None:
    there: dict[tuple[str, str], set[str]] = {("secret", name): set(files) for name, files in secrets.items()}
    there |= {("secret", name): files for name, files in MADE_BY_OTHERS.items()}
    there |= {("configMap", each["metadata"]["name"]): set(each["data"]) for each in of_kind(built, "ConfigMap")}
    for workload in workloads(built):
        pod = pod_of(workload)
        for kind, name, source in volume_sources(pod):
            keys = there[kind, name]
            assert {item["key"] for item in source.get("items", ())} <= keys
        names = {volume["name"] for volume in pod.get("volumes", ())}
        names |= {each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", ())}
        for container in containers(workload):
            assert {mount["name"] for mount in container["volumeMounts"]} <= names
            # /secrets/postgres, /tls/tls.crt: each file that is named stands in a secret.
            for value in [*container.get("args", ()), *(e.get("value", "") for e in container.get("env", ()))]:
                for file in re.findall(r"/(?:secrets|tls|bus-tls)/([\w.]+)", value):
                    assert any(file in keys for (kind, _), keys in there.items() if kind == "secret"), value


def test_secret_files_are_settings(built: tuple[Manifest, ...], secrets: dict[str, dict[str, str]]) -> None:
    for workload in filter(is_ours, workloads(built)):
        mounted = {
            name for kind, name, _ in volume_sources(pod_of(workload)) if kind == "secret"
        } - MADE_BY_OTHERS.keys()
        assert mounted <= {component_of(workload), "s3"}
        for file in secrets[component_of(workload)]:
            assert file in fields_of(service_of(workload)), file
        assert set(secrets["s3"]) <= fields_of_any()


def test_ports_are_those_that_services_listen_on(built: tuple[Manifest, ...]) -> None:
    for workload in filter(is_ours, workloads(built)):
        (container,) = containers(workload)
        told = environment(built, container)
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        assert ports.pop("health") == int(told["BARID_HEALTH_PORT"])
        listeners = SERVICES[service_of(workload)].listeners
        # The admin API's is called `http` in Kubernetes, where names of ports say what is spoken.
        expected = {
            "http" if name == "admin" else name: int(told[f"BARID_{listener.setting.upper()}"])
            for name, listener in listeners.items()
        }
        assert ports == expected


def test_services_lead_to_ports_of_pods(built: tuple[Manifest, ...]) -> None:
    standard = {name: each.standard for entry in SERVICES.values() for name, each in entry.listeners.items()}
    for service in of_kind(built, "Service"):
        selector = {"matchLabels": service["spec"]["selector"]}
        found = [w for w in workloads(built) if selects(selector, w["spec"]["template"]["metadata"]["labels"])]
        assert len(found) == 1, service["metadata"]["name"]
        names = {port["name"] for container in containers(found[0]) for port in container["ports"]}
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in names
            if is_ours(found[0]) and port["name"] in standard:
                assert port["port"] == standard[port["name"]]
        if service["metadata"]["name"] in ("smtp-ingress", "mss"):
            assert service["spec"]["externalTrafficPolicy"] == "Local"


def test_probes_ask_the_health_port(built: tuple[Manifest, ...]) -> None:
    for workload in filter(is_ours, workloads(built)):
        (container,) = containers(workload)
        paths = {
            kind: container[kind]["httpGet"]["path"] for kind in ("startupProbe", "readinessProbe", "livenessProbe")
        }
        assert paths == {"startupProbe": "/livez", "readinessProbe": "/readyz", "livenessProbe": "/livez"}
        for kind in paths:
            assert container[kind]["httpGet"]["port"] == "health"
            assert "tcpSocket" not in container[kind]


def test_the_grace_covers_the_drain(built: tuple[Manifest, ...]) -> None:
    for workload in filter(is_ours, workloads(built)):
        (container,) = containers(workload)
        told = environment(built, container)
        default = settings_of(service_of(workload)).model_fields["drain_seconds"].default
        drain = float(told.get("BARID_DRAIN_SECONDS", default))
        before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert pod_of(workload)["terminationGracePeriodSeconds"] >= math.ceil(before + drain) + MARGIN
        if SERVICES[service_of(workload)].listeners:
            assert before >= 5, "load balancers must hear of it first"


def test_pods_are_restricted(built: tuple[Manifest, ...]) -> None:
    (namespace,) = of_kind(built, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for workload in workloads(built):
        pod = pod_of(workload)
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        for container in containers(workload):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


def test_everything_is_denied_that_nobody_allowed(built: tuple[Manifest, ...]) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in of_kind(built, "NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    to_the_world = [
        name
        for name, spec in policies.items()
        for rule in spec.get("egress", ())
        for peer in rule.get("to", [{"ipBlock": {"cidr": "0.0.0.0/0"}}])
        if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0"
    ]
    assert to_the_world == ["mail-goes-out"]
    spec = policies["mail-goes-out"]
    assert spec["podSelector"] == {"matchLabels": {"app.kubernetes.io/component": "relay"}}
    assert spec["egress"][0]["ports"] == [{"port": 25, "protocol": "TCP"}]


def test_policies_name_pods_and_ports_that_are_there(built: tuple[Manifest, ...]) -> None:
    pods = [w["spec"]["template"]["metadata"]["labels"] for w in workloads(built)]
    for policy in of_kind(built, "NetworkPolicy"):
        spec = policy["spec"]
        chosen = [
            w for w in workloads(built) if selects(spec["podSelector"], w["spec"]["template"]["metadata"]["labels"])
        ]
        assert chosen, policy["metadata"]["name"]
        for rule in spec.get("ingress", ()):
            for port in rule.get("ports", ()):
                names = {p["name"] for w in chosen for c in containers(w) for p in c.get("ports", ())}
                assert port["port"] in names, policy["metadata"]["name"]
        for rule in [*spec.get("ingress", ()), *spec.get("egress", ())]:
            for peer in [*rule.get("from", ()), *rule.get("to", ())]:
                if "podSelector" in peer and "namespaceSelector" not in peer:
                    assert any(selects(peer["podSelector"], labels) for labels in pods), policy["metadata"]["name"]


def test_budgets_and_scalers_name_workloads(built: tuple[Manifest, ...]) -> None:
    there = {(each["kind"], each["metadata"]["name"]): each for each in workloads(built)}
    scaled = set()
    for scaler in of_kind(built, "HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]
        key = target.get("kind", "Deployment"), target["name"]
        assert key not in scaled, "two scalers would pull at one workload"
        scaled.add(key)
        assert "replicas" not in there[key]["spec"], "each apply would set back what the scaler decided"
    for budget in of_kind(built, "PodDisruptionBudget"):
        assert any(
            selects(budget["spec"]["selector"], each["spec"]["template"]["metadata"]["labels"])
            for each in there.values()
        )


def test_metrics_are_measured(built: tuple[Manifest, ...]) -> None:
    named = set()
    for rule in of_kind(built, "PrometheusRule"):
        for group in rule["spec"]["groups"]:
            for each in group["rules"]:
                named |= set(re.findall(r"barid_\w+", each["expr"]))
    for scaler in of_kind(built, "HorizontalPodAutoscaler"):
        named |= {each["pods"]["metric"]["name"] for each in scaler["spec"]["metrics"] if each["type"] == "Pods"}
    assert named <= metrics()


def test_keda_reads_the_lag_of_consumers_that_are_there(built: tuple[Manifest, ...]) -> None:
    for scaled in of_kind(built, "ScaledObject"):
        told = scaled["spec"]["triggers"][0]["metadata"]
        assert (told["stream"], told["consumer"]) in {(ACCEPTED_STREAM, MDA), (ACCEPTED_STREAM, RELAY)}
        assert told["consumer"] == scaled["spec"]["scaleTargetRef"]["name"]


def test_the_bus_is_asked_for_as_many_copies_as_it_has_servers(built: tuple[Manifest, ...]) -> None:
    (servers,) = [each for each in of_kind(built, "StatefulSet") if each["metadata"]["name"] == "nats"]
    (shared,) = [each for each in of_kind(built, "ConfigMap") if each["metadata"]["name"].startswith("settings-")]
    count = servers["spec"]["replicas"]
    assert int(shared["data"]["BARID_BUS_REPLICAS"]) == count
    urls = shared["data"]["BARID_BUS_URL"].split(",")
    assert urls == [f"nats://nats-{n}.nats:4222" for n in range(count)]
