"""What the code knows that manifests name: services, settings, ports, metrics."""

import functools
import importlib
import re

from barid.roster import SERVICES
from barid_runtime.journal.settings import JournalSettings
from barid_runtime.settings import DatabaseSettings, ServiceSettings

from .manifests import ROOT

OF_THE_SOURCES = {"SECRETS_DIR", "SETTINGS_FILE"}
"""Variables that say where else settings stand; no fields themselves."""


def settings_of(service: str) -> type[ServiceSettings]:
    found: type[ServiceSettings] = importlib.import_module(f"barid_{service}.settings").Settings
    return found


def fields_of(service: str) -> set[str]:
    return set(settings_of(service).model_fields)


@functools.cache
def fields_of_any() -> set[str]:
    shared = set(JournalSettings.model_fields) | set(DatabaseSettings.model_fields)
    return shared.union(*(fields_of(service) for service in SERVICES))


def setting(variable: str) -> str:
    """The field that a variable is for. Raises AssertionError."""
    assert variable.startswith("BARID_"), variable
    return variable.removeprefix("BARID_").lower()


@functools.cache
def image_environment() -> dict[str, str]:
    """What the image sets."""
    text = (ROOT / "deploy/images/Dockerfile").read_text().rpartition("\nFROM ")[2]
    lines = re.search(r"\nENV ((?:.*\\\n)*.*)", text)
    assert lines is not None
    return dict(word.split("=", 1) for word in lines[1].replace("\\\n", " ").split())


@functools.cache
def metrics() -> set[str]:
    """Names as Prometheus sees them, by docs/metrics.md, which is held to what processes export."""
    found: set[str] = set()
    page = (ROOT / "docs" / "metrics.md").read_text()
    for name, kind in re.findall(r"^\| `(barid_\w+)` \| (\w+) \|", page, re.MULTILINE):
        found |= {name + end for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return found
