"""The commands. To add one: a file beside this, a line here, and its place in ``states.ALLOWED``."""

from collections.abc import Mapping
from types import MappingProxyType

from barid_protocols.pop3.commands import (
    auth,
    capa,
    dele,
    list_,
    noop,
    pass_,
    quit_,
    retr,
    rset,
    stat,
    stls,
    top,
    uidl,
    user,
)
from barid_protocols.pop3.session import Command

COMMANDS: Mapping[bytes, Command] = MappingProxyType(
    {
        module.COMMAND.verb: module.COMMAND
        for module in (auth, capa, dele, list_, noop, pass_, quit_, retr, rset, stat, stls, top, uidl, user)
    }
)
