"""The ingress's metrics, bound to their labels once."""

from barid_runtime.metrics import Metrics

_metrics = Metrics("smtp_ingress")

PROFILES = ("mx", "submission", "submissions", "lmtp")

_sessions = _metrics.counter("sessions", "Connections taken", ["profile"])
_accepted = _metrics.counter("accepted", "Mails made durable and answered with 250", ["profile"])
_refused = _metrics.counter("refused", "Negative replies to MAIL, RCPT, DATA and AUTH, and protocol errors", ["class"])
_octets = _metrics.counter("accepted_bytes", "Octets of accepted mails")
_append = _metrics.seconds("append", "From the end of a message to its being durable")

open_connections = _metrics.gauge("connections", "Open now")
backlog = _metrics.gauge("publisher_backlog", "Durable mails that the bus does not know of yet")
bus = _metrics.gauge("bus_connected", "1 while the bus is there; mail is accepted without it")
known = _metrics.gauge("known_recipients", "Recipients that are taken even while the directory is away")

sessions = {profile: _sessions.labels(profile) for profile in PROFILES}
accepted = {profile: _accepted.labels(profile) for profile in PROFILES}
transient = _refused.labels("4xx")
permanent = _refused.labels("5xx")
octets = _octets
append = _append


def refused(code: int) -> None:
    (transient if code < 500 else permanent).inc()
