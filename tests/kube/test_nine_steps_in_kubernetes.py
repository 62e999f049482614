"""The same walk as in tests/integration, with the cluster as one of the systems: its doors are Services, and behind
each of them are replicas."""

from ..integration.test_nine_steps import (
    test_a_large_mail_with_attachments,
    test_a_redirect_there_comes_back_here,
    test_a_vacation_reply_finds_its_way_back,
    test_an_unknown_recipient_there_comes_back_as_a_notice,
    test_one_mail_to_all_three_worlds,
    test_submitted_here_filtered_and_filed_there,
    test_the_body_is_byte_for_byte_what_was_sent,
)
from .installation import Installation

__all__ = [
    "test_a_large_mail_with_attachments",
    "test_a_redirect_there_comes_back_here",
    "test_a_vacation_reply_finds_its_way_back",
    "test_an_unknown_recipient_there_comes_back_as_a_notice",
    "test_one_mail_to_all_three_worlds",
    "test_submitted_here_filtered_and_filed_there",
    "test_the_body_is_byte_for_byte_what_was_sent",
]


def test_everything_is_ready_and_nothing_was_started_twice(installation: Installation) -> None:
    for workload, seconds in installation.ready_after.items():
        print(f"{workload}: ready after {seconds:.0f} s")
    assert installation.kubectl.restarts() == {}
