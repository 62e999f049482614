"""News that come late or out of order, one by one; the model test does the rest."""

from barid_protocols.imap.changes import Changes, Columns
from barid_protocols.imap.commands.store import Store, StoreAction
from barid_protocols.imap.flags import FLAGGED, SEEN, FlagSet, FlagTable
from barid_protocols.imap.selected import SelectedMailbox
from barid_protocols.imap.sequence import SequenceSet
from barid_protocols.imap.stored_flags import stored_lines


def three() -> SelectedMailbox:
    return SelectedMailbox(Columns.of([(1, 0, 1), (2, 0, 2), (3, 0, 3)]), FlagTable(), highest_modseq=3)


def test_a_change_of_a_message_that_is_gone_is_no_news() -> None:
    selected = three()
    selected.apply(Changes(5, expunged=[2]))
    selected.apply(Changes(6, changed=[(2, SEEN, 4)]))
    assert selected.is_expunged(2)
    assert selected.poll(False) == []
    assert selected.poll(True) == [b"* 2 EXPUNGE\r\n"]
    assert list(selected.codes) == [0, 0]


def test_a_change_newer_than_the_reply_to_a_store_is_still_told() -> None:
    selected = three()
    selected.apply(Changes(5, changed=[(1, SEEN | FLAGGED, 5)]))
    store = Store(b"t", b"STORE", SequenceSet(((1, 1),)), StoreAction.ADD, FlagSet(SEEN))
    assert stored_lines(selected, [(1, SEEN, 4)], store) == b"* 1 FETCH (FLAGS (\\Seen))\r\n"
    assert selected.poll(False) == [b"* 1 FETCH (UID 1 FLAGS (\\Seen \\Flagged))\r\n"]


def test_a_message_that_came_and_went_unseen_is_never_mentioned() -> None:
    selected = three()
    selected.apply(Changes(4, added=[(4, 0, 4)]))
    selected.apply(Changes(5, expunged=[4]))
    assert selected.poll(True) == []
    assert selected.highest_modseq == 5


def test_highest_modseq_waits_for_the_expunge() -> None:
    selected = three()
    selected.apply(Changes(4, expunged=[1]))
    selected.apply(Changes(5, added=[(4, 0, 5)]))
    assert selected.poll(False) == [b"* 4 EXISTS\r\n"]
    assert selected.highest_modseq == 3
    assert selected.poll(True) == [b"* 1 EXPUNGE\r\n"]
    assert selected.highest_modseq == 5


def test_many_scattered_messages_leave_at_once() -> None:
    columns = Columns.of([(uid, 0, uid) for uid in range(1, 101)])
    selected = SelectedMailbox(columns, FlagTable(), highest_modseq=100)
    selected.apply(Changes(101, expunged=list(range(2, 101, 2))))
    assert b"".join(selected.poll(True)) == b"".join(b"* %d EXPUNGE\r\n" % number for number in range(100, 0, -2))
    assert list(selected.uids) == list(selected.modseqs) == list(range(1, 100, 2))
