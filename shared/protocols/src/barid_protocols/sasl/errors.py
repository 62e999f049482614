"""What can go wrong in an exchange.

SaslError            the peer broke the mechanism's grammar or a limit
└── SaslCancelled    the client sent ``*`` (RFC 4954 §4, RFC 3501 §6.2.2, RFC 5034 §4)

The text of each is fixed by us and never quotes the peer, so it may be sent to the client and logged: what the peer
sent may be half a password.
"""


class SaslError(Exception):
    """The exchange failed; ``text`` is safe to show to the client."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class SaslCancelled(SaslError):
    """The client gave the exchange up."""

    def __init__(self) -> None:
        super().__init__("authentication cancelled")
