"""Opens the process's door for traces, and closes it."""

from . import tracing
from .settings import SettingsError


def start(endpoint: str, ratio: float) -> None:
    """Open it, if there is to be one; a second call changes nothing. Raises SettingsError."""
    if not endpoint or tracing.door is not None:
        return
    try:
        from .otlp import open_door  # half a second of imports, for those who asked
    except ImportError as error:
        raise SettingsError(
            f"BARID_OTLP_ENDPOINT needs packages that are not installed ({error.name}): install barid-runtime[tracing],"
            " or unset it"
        ) from None
    tracing.door = open_door(endpoint, ratio)


def stop() -> None:
    """Send what waits. Blocks for some seconds at most."""
    was, tracing.door = tracing.door, None
    if was is not None:
        was.close()
