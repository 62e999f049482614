"""docker-compose.yml is valid, and what it names exists."""

import copy
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from barid.roster import SERVICES
from barid_runtime.settings import load

from .code import OF_THE_SOURCES, fields_of_any, image_environment, setting, settings_of
from .manifests import ROOT

SCHEMA = yaml.safe_load((Path(__file__).parent / "compose.schema.yaml").read_text())
COMPOSE: Any = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: each for name, each in COMPOSE["services"].items() if each["image"].startswith("barid/")}
FIRST = {name: each for name, each in OURS.items() if "profiles" not in each}


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compose") / "secrets"
    subprocess.run([sys.executable, ROOT / "deploy/make_secrets.py", "folder", folder], check=True)
    return folder


def plain(text: str) -> str:
    """With the defaults of its variables."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def place_of(source: str, secrets: Path) -> Path:
    file = COMPOSE["secrets"][source]["file"]
    return secrets / Path(file).relative_to("deploy/compose/secrets")


def test_it_is_valid() -> None:
    jsonschema.validate(COMPOSE, SCHEMA)


@pytest.mark.parametrize(
    ("what", "value"), [("enviroment", {}), ("ports", [25]), ("restart", "sometimes"), ("stop_grace_period", 30)]
)
def test_a_slip_is_seen(what: str, value: Any) -> None:
    compose = copy.deepcopy(COMPOSE)
    compose["services"]["mss"][what] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(compose, SCHEMA)


def test_every_service_is_there_once_and_once_more_to_scale() -> None:
    assert {each["build"]["args"]["SERVICE"] for each in FIRST.values()} == SERVICES.keys()
    assert len(FIRST) == len(SERVICES)
    for name, each in OURS.items():
        assert (ROOT / each["build"]["dockerfile"]).is_file()
        if "profiles" in each:
            assert each["profiles"] == ["scale"]
            assert each["build"] == FIRST[name.removesuffix("-2")]["build"]
    assert len(OURS) == 2 * len(SERVICES)


def test_what_is_named_exists() -> None:
    for each in COMPOSE["services"].values():
        for kind in ("secrets", "configs"):
            assert {one["source"] for one in each.get(kind, ())} <= COMPOSE[kind].keys()
        for volume in each.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in COMPOSE["volumes"] or (source.startswith("./") and (ROOT / source).exists()), source
        assert set(each.get("depends_on", ())) <= COMPOSE["services"].keys()
        for other, on in each.get("depends_on", {}).items():
            if on["condition"] == "service_healthy":
                assert "healthcheck" in COMPOSE["services"][other]
    for each in COMPOSE["configs"].values():
        assert (ROOT / each["file"]).is_file()


def test_secrets_are_those_that_are_made(secrets: Path) -> None:
    for source in COMPOSE["secrets"]:
        path = place_of(source, secrets)
        assert path.is_file(), path
        assert path.stat().st_mode & 0o777 == 0o444, "containers' users must read what Compose mounts as it is"
    assert secrets.stat().st_mode & 0o777 == 0o700


def test_secrets_are_not_made_twice(secrets: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "deploy/make_secrets.py", "folder", secrets],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "is not empty" in done.stderr


@pytest.mark.parametrize("name", OURS)
def test_services_take_their_settings(
    name: str, secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = OURS[name]
    service = each["build"]["args"]["SERVICE"]
    for variable in each["environment"]:
        assert setting(variable) in fields_of_any() or variable.removeprefix("BARID_") in OF_THE_SOURCES
    for secret in each["secrets"]:
        assert secret["target"] in fields_of_any()
        (tmp_path / secret["target"]).write_text(place_of(secret["source"], secrets).read_text())
    told = image_environment() | {key: plain(text) for key, text in each["environment"].items()}
    assert told["BARID_SECRETS_DIR"] == "/run/secrets", "where Compose mounts those with a plain name"
    for key, text in (told | {"BARID_SECRETS_DIR": str(tmp_path)}).items():
        monkeypatch.setenv(key, text)

    settings = load(settings_of(service))

    assert settings.bus_user == service
    assert settings.bus_password.get_secret_value()
    assert float(each["stop_grace_period"].removesuffix("s")) >= settings.drain_seconds + 5


@pytest.mark.parametrize("name", OURS)
def test_published_ports_lead_to_listeners(name: str) -> None:
    each = OURS[name]
    listeners = SERVICES[each["build"]["args"]["SERVICE"]].listeners
    higher = 10_000 if "profiles" in each else 0
    expected = set()
    for kind, listener in listeners.items():
        port = int(image_environment()[f"BARID_{listener.setting.upper()}"])
        if kind != "lmtp":  # for a neighbour that queues: nobody's here
            expected.add(((port if kind == "admin" else listener.standard) + higher, port))
    found = {tuple(int(port) for port in plain(text).split(":")[-2:]) for text in each.get("ports", ())}
    assert found == expected


def test_nothing_of_ours_may_more_than_it_must() -> None:
    for each in OURS.values():
        assert each["read_only"] and each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert each["healthcheck"]["test"][-1] == "readyz"
