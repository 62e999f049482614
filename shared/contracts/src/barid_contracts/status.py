"""Whether a service is there and well: each answers for itself."""

from .base import Empty, Message, Operation


class ServiceStatus(Message):
    """checks: what its readiness depends on, name → `ok` or what is wrong; safe to show."""

    checks: dict[str, str]


def status_of(service: str) -> Operation[Empty, ServiceStatus]:
    """Answered by one of the service's processes."""
    return Operation(f"mail.v1.{service}.status", Empty, ServiceStatus)


DIRECTORY_STATUS = status_of("directory")
MAILSTORE_STATUS = status_of("mailstore")
MDA_STATUS = status_of("mda")
RELAY_STATUS = status_of("relay")
SMTP_INGRESS_STATUS = status_of("smtp_ingress")
MSS_STATUS = status_of("mss")
ADMIN_STATUS = status_of("admin")
