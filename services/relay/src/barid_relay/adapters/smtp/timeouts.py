"""How long we wait for other hosts. Those of RFC 5321 §4.5.3.2 unless said otherwise."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds."""

    connect: float = 30.0
    """Not in the RFC: systems give up after two minutes, but who doesn't answer in this time rarely does later."""
    greeting: float = 300.0
    """§4.5.3.2.1."""
    hello: float = 300.0
    """Also for AUTH and the reply to STARTTLS; §4.5.3.2.2 is that of MAIL."""
    handshake: float = 60.0
    """The RFC has none for TLS."""
    envelope: float = 300.0
    """To each further reply: §4.5.3.2.2 and .3 (MAIL and RCPT, 5 minutes each)."""
    envelope_whole: float = 1200.0
    """To all replies of one envelope, lest a host that drips lines holds a worker for days."""
    data_block: float = 180.0
    """§4.5.3.2.5: until the host has taken what we sent."""
    final: float = 600.0
    """§4.5.3.2.6: a host may need long for what it does before it takes the responsibility; ending earlier makes
    duplicates."""
    quit: float = 5.0
    """The RFC asks for patience, but nothing depends on this reply."""
