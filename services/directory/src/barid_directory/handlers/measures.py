"""What operators see of log-ins. Labels are bound once."""

from barid_runtime.metrics import Metrics

_metrics = Metrics("directory")

_logins = _metrics.counter("logins", "Log-ins by outcome", ["outcome"])

accepted = _logins.labels("accepted")
refused = _logins.labels("refused")
waits = _logins.labels("waits")
"""Not looked at, for too many have failed."""

bans = _metrics.counter("bans", "Networks, ranges, and logins from a network, that failed too often")
