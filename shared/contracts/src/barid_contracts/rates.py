"""What replicas tell each other of how much somebody has done lately, so that limits hold for all of them together."""

from .base import Event, Message


class RateCount(Message):
    """count: how many one process, the writer, has counted since the begin of the period. It only grows, so the largest
    that was heard is right, in whichever order and however often it comes."""

    key: str
    writer: str
    count: int


class RatesTold(Message):
    """name: whose counters, as those call them who share them. period: of which hour since the epoch."""

    name: str
    period: int
    rates: list[RateCount]


RATES_TOLD = Event("mail.v1.rates.told", RatesTold)


class RatesWanted(Message):
    """By a process that has just come, or was away: tell all that you know, also of those who are gone."""

    name: str


RATES_WANTED = Event("mail.v1.rates.wanted", RatesWanted)
