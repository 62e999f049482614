"""Delivery status notifications (RFC 3464): what the mail system says to a sender."""

from barid_protocols.dsn.report import Action, Recipient, Report
from barid_protocols.dsn.writer import build_dsn

__all__ = ["Action", "Recipient", "Report", "build_dsn"]
