"""A service from its name: the only place that knows which attribute of which module makes one."""

import importlib
from collections.abc import Mapping
from typing import Any, cast

from barid_runtime import trace_export
from barid_runtime.service import Service
from barid_runtime.settings import ServiceSettings, SettingsError, load

from .roster import module_of, settings_module_of


def load_code(service: str) -> None:
    """Import all that it is made of."""
    importlib.import_module(module_of(service))


def settings_type(service: str) -> type[ServiceSettings]:
    """The service's `Settings`."""
    return cast("type[ServiceSettings]", importlib.import_module(settings_module_of(service)).Settings)


def build(service: str, given: Mapping[str, Any]) -> Service:
    """A service, not started. Raises SettingsError, also for a setting that the service doesn't have."""
    kind = settings_type(service)
    if unknown := sorted(given.keys() - kind.model_fields.keys()):
        raise SettingsError(
            f"{service} has no setting {', '.join(unknown)}; it has {', '.join(sorted(kind.model_fields))}"
        )
    settings = load(kind, **given)
    trace_export.start(settings.otlp_endpoint, settings.trace_ratio)
    return cast("Service", importlib.import_module(module_of(service)).build(settings))
