"""Every overlay, and every component on top of one, builds and is valid Kubernetes: no unknown field, no unknown kind.

Kinds that Kubernetes brings along are held to its own schemas, of the oldest release that the manifests promise to run
on and of the newest that is known; others to the small stand-ins in `crds/`, which a real API server takes, too.
"""

import copy
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from .manifests import K8S, OPTIONAL, OVERLAYS, Manifest, build, with_component

OLDEST = "1.30"
"""The first with `preStop: sleep` switched on."""


@pytest.fixture(scope="session", autouse=True)
def schemas_are_read_once() -> Iterator[None]:
    """2 MB of JSON, which the library reads for each manifest: most of the time that these tests took."""
    with pytest.MonkeyPatch.context() as patch:
        read = functools.cache(kubernetes_validate.utils.schema_contents)
        patch.setattr(kubernetes_validate.utils, "schema_contents", read)
        yield


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Manifest, ...]]:
    found = {overlay: build(K8S / "overlays" / overlay) for overlay in OVERLAYS}
    for component in OPTIONAL:
        # Beside the others: kustomize takes relative paths only, and none that lead through a symbolic link.
        found[f"prod+{component}"] = build(with_component(component, tmp_path_factory.mktemp(component)))
    return found


NAMES = [*OVERLAYS, *(f"prod+{component}" for component in OPTIONAL)]


def strict(schema: Any) -> Any:
    """With no fields but those that it names, as the API server sees a structural schema."""
    if isinstance(schema, dict):
        found = {key: strict(value) for key, value in schema.items()}
        if "properties" in found:
            found.setdefault("additionalProperties", False)
        return found
    return [strict(each) for each in schema] if isinstance(schema, list) else schema


def stand_ins() -> dict[tuple[str, str], Any]:
    """(apiVersion, kind) → schema of `spec`."""
    found = {}
    for path in (Path(__file__).parent / "crds").glob("*.yaml"):
        spec = yaml.safe_load(path.read_text())["spec"]
        version = spec["versions"][0]
        schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = strict(schema)
    return found


OTHERS = stand_ins()


def check(manifest: Manifest, version: str) -> None:
    """Raises jsonschema's or kubernetes_validate's error."""
    key = (manifest["apiVersion"], manifest["kind"])
    if key in OTHERS:
        assert manifest.keys() == {"apiVersion", "kind", "metadata", "spec"}
        jsonschema.validate(manifest["spec"], OTHERS[key])
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize("name", NAMES)
def test_everything_is_valid(built: dict[str, tuple[Manifest, ...]], name: str, version: str) -> None:
    assert len(built[name]) > 20
    for manifest in built[name]:
        check(manifest, version)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_there_twice(built: dict[str, tuple[Manifest, ...]], name: str) -> None:
    keys = [(each["kind"], each["metadata"]["name"]) for each in built[name]]
    assert len(keys) == len(set(keys))
    namespaces = {each["metadata"].get("namespace") for each in built[name] if each["kind"] != "Namespace"}
    assert namespaces == {"barid"}


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
@pytest.mark.parametrize(
    ("kind", "where", "what"),
    [
        ("Deployment", ("spec", "replica"), 2),
        ("Deployment", ("spec", "replicas"), "two"),
        ("Deployment", ("spec", "template", "spec", "containers", 0, "readynessProbe"), {}),
        ("HorizontalPodAutoscaler", ("spec", "metric"), []),
        ("ScaledObject", ("spec", "triggers", 0, "metadata", "lagTreshold"), "5"),
        ("Certificate", ("spec", "secretname"), "x"),
    ],
)
def test_a_slip_is_seen(
    built: dict[str, tuple[Manifest, ...]], kind: str, where: tuple[Any, ...], what: Any, version: str
) -> None:
    manifest: Any = copy.deepcopy(next(each for each in built["prod"] if each["kind"] == kind))
    spot = manifest
    for step in where[:-1]:
        spot = spot[step]
    spot[where[-1]] = what

    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        check(manifest, version)


def test_an_unknown_kind_is_seen() -> None:
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        check({"apiVersion": "example.org/v1", "kind": "Mystery", "metadata": {}, "spec": {}}, OLDEST)
