"""SMTP (RFC 5321) and LMTP (RFC 2033), server and client, as sans-IO cores.

``ServerConnection`` for the ingress, ``ClientConnection`` for the relay; the modules under them are pure.
"""

from barid_protocols.smtp.address import Address, canonical_domain, parse_address, parse_path
from barid_protocols.smtp.client import ClientConnection
from barid_protocols.smtp.client_events import (
    AuthDone,
    ClientEvent,
    EnvelopeDone,
    Greeted,
    HelloDone,
    Lost,
    MessageDone,
    Phase,
    ResetDone,
    TlsReady,
)
from barid_protocols.smtp.client_replies import Capabilities
from barid_protocols.smtp.connection import ServerConnection
from barid_protocols.smtp.errors import AddressError, LocalError, SmtpError
from barid_protocols.smtp.events import (
    Answer,
    Authenticate,
    Closed,
    CloseReason,
    Connected,
    DataAborted,
    DataChunk,
    DataEnd,
    DataStarted,
    Decision,
    Event,
    Flush,
    Hello,
    MailFrom,
    Notice,
    RcptTo,
    Refused,
    Reset,
    StartTls,
    Verify,
)
from barid_protocols.smtp.options import BareLineEnds, Profile, ServerOptions, lmtp, mx, submission, submissions
from barid_protocols.smtp.received import format_date, received, transmission_type
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.states import State

__all__ = [
    "Address",
    "AddressError",
    "Answer",
    "AuthDone",
    "Authenticate",
    "BareLineEnds",
    "Capabilities",
    "ClientConnection",
    "ClientEvent",
    "CloseReason",
    "Closed",
    "Connected",
    "DataAborted",
    "DataChunk",
    "DataEnd",
    "DataStarted",
    "Decision",
    "EnvelopeDone",
    "Event",
    "Flush",
    "Greeted",
    "Hello",
    "HelloDone",
    "LocalError",
    "Lost",
    "MailFrom",
    "MessageDone",
    "Notice",
    "Phase",
    "Profile",
    "RcptTo",
    "Refused",
    "Reply",
    "Reset",
    "ResetDone",
    "ServerConnection",
    "ServerOptions",
    "SmtpError",
    "StartTls",
    "State",
    "TlsReady",
    "Verify",
    "canonical_domain",
    "format_date",
    "lmtp",
    "mx",
    "parse_address",
    "parse_path",
    "received",
    "submission",
    "submissions",
    "transmission_type",
]
