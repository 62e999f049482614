"""Where things stand in the bucket. Pure.

    packs/2026112319/<service>.<incarnation>/000001.pack     written by one PUT, sealed from birth, never changed
    objects/<mail_id>                                        a body above OBJECT_ABOVE, its chunk table behind it
    aborted/2026112319/<service>.<incarnation>/000001.pack   that pack was refused with 451: it counts as not there
    closed/2026112319/<service>.<incarnation>/some           numbers of closed packs, a line each; overwritten
    closed/2026112319/<service>.<incarnation>/all            the same, and there will be no others

The hour is that of the incarnation, which is part of its name: so a reference leads to its key without a look-up. A
writer begins a new incarnation every hour, so that the hours that are done with need never be listed again.
"""

import calendar
import re
import time

from ...ids import ALPHABET

PACKS = "packs/"
OBJECTS = "objects/"
ABORTED = "aborted/"
CLOSED = "closed/"
SOME = "some"
ALL = "all"

PACK_NAME = re.compile(r"([a-z][a-z0-9_]{0,30}\.([0-9A-HJKMNP-TV-Z]{10})[0-9A-Z]{16})/([0-9]{6})\.pack")
OBJECT_NAME = re.compile(r"objects/[0-9A-Z]{26}")

_DIGIT = {character: value for value, character in enumerate(ALPHABET)}
_TIME = slice(-26, -16)


def hour_of(folder: str) -> str:
    """UTC, of a writer's folder `<service>.<incarnation>`."""
    return hour_name(time_of(folder))


def hour_name(now: float) -> str:
    return time.strftime("%Y%m%d%H", time.gmtime(now))


def beginning(hour: str) -> float:
    """Epoch seconds; 0 for what is no hour of ours."""
    try:
        return float(calendar.timegm(time.strptime(hour, "%Y%m%d%H")))
    except ValueError:
        return 0.0


def time_of(name: str) -> float:
    """Epoch seconds of an incarnation's beginning or of a mail: of what ends in an id."""
    ms = 0
    for character in name[_TIME]:
        ms = ms << 5 | _DIGIT.get(character, 0)
    return ms / 1000


def pack_key(name: str) -> str | None:
    """Of a pack's name or an object's, as in BodyRef.pack; None for what is neither: names come from the bus."""
    if PACK_NAME.fullmatch(name):
        return f"{PACKS}{hour_of(name.partition('/')[0])}/{name}"
    return name if OBJECT_NAME.fullmatch(name) else None


def aborted_key(pack: str) -> str:
    folder, _, file = pack.partition("/")
    return f"{aborted_prefix(folder)}{file}"


def aborted_prefix(folder: str) -> str:
    """Below it stand the marks of a writer's refused packs."""
    return f"{ABORTED}{hour_of(folder)}/{folder}/"


def closed_prefix(folder: str) -> str:
    return f"{CLOSED}{hour_of(folder)}/{folder}/"


def folder_prefix(folder: str) -> str:
    """Below it stand the packs of a writer."""
    return f"{PACKS}{hour_of(folder)}/{folder}/"


def name_in(key: str) -> str | None:
    """The pack's name of a key below `packs/` or `aborted/`; None for what isn't ours."""
    parts = key.split("/", 2)
    return parts[2] if len(parts) == 3 and PACK_NAME.fullmatch(parts[2]) else None
