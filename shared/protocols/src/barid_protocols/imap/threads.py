"""THREAD (RFC 5256 §4): messages as forests, by subject and date or by the References of each.

Nothing here recurses: threads may be deep.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from barid_protocols.imap.sorting import Sortable, sent_seconds, subject_of

MAX_DEPTH = 1000
"""Each new link is followed up to the root of its thread."""

MAX_REFERENCES = 100
"""Of one message: the last ones count, as the nearest."""


class Algorithm(Enum):
    ORDEREDSUBJECT = b"ORDEREDSUBJECT"
    REFERENCES = b"REFERENCES"


@dataclass(eq=False, slots=True)
class Node:
    """A message, or (``number`` 0) one that others refer to and that is not there."""

    number: int = 0
    sent: int = 0
    subject: str = ""
    reply: bool = False
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)

    def may_adopt(self, other: Node) -> bool:
        """Whether no loop would come of it, nor a thread deeper than anybody writes."""
        node: Node | None = self
        for _ in range(MAX_DEPTH):
            if node is None:
                return True
            if node is other:
                return False
            node = node.parent
        return False

    def adopt(self, child: Node) -> None:
        if child.parent is not None:
            child.parent.children.remove(child)
        child.parent = self
        self.children.append(child)


_MESSAGE_ID = re.compile(rb"<([^<>\s]+)>")


def threads(algorithm: Algorithm, rows: Iterable[tuple[int, Sortable]]) -> list[Node]:
    """The roots. ``rows``: what each message is called in the answer, and the message, in the mailbox's order."""
    if algorithm is Algorithm.ORDEREDSUBJECT:
        return _by_subject(rows)
    return _by_references(rows)


def thread_line(roots: Sequence[Node]) -> bytes:
    """The untagged line (RFC 5256 §4)."""
    return b"* THREAD" + (b" " if roots else b"") + b"".join(_written(roots)) + b"\r\n"


def _written(roots: Sequence[Node]) -> Iterator[bytes]:
    """``(1 2 (3)(4 5))``: who has one child goes on, who has several opens a parenthesis for each."""
    todo: list[Node | bytes] = []
    for root in reversed(roots):
        todo += [b")", root, b"("]
    space = False
    while todo:
        item = todo.pop()
        if isinstance(item, bytes):
            if item == b"(" and space:
                yield b" "
            yield item
            space = False
            continue
        if item.number:
            yield b" %d" % item.number if space else b"%d" % item.number
            space = True
        if len(item.children) == 1:
            todo.append(item.children[0])
        else:
            for child in reversed(item.children):
                todo += [b")", child, b"("]


def _node(number: int, row: Sortable) -> Node:
    subject, reply = subject_of(row)
    return Node(number, sent_seconds(row), subject, reply)


def _by_subject(rows: Iterable[tuple[int, Sortable]]) -> list[Node]:
    first: dict[str, Node] = {}
    for node in sorted([_node(number, row) for number, row in rows], key=lambda node: (node.sent, node.number)):
        root = first.setdefault(node.subject, node)
        if root is not node:
            root.adopt(node)
    return list(first.values())


def _by_references(rows: Iterable[tuple[int, Sortable]]) -> list[Node]:
    root = Node()
    for node in _linked(rows):
        if node.parent is None:
            node.parent = root
            root.children.append(node)
    _prune(root)
    root.children.sort(key=_when)
    _join_by_subject(root)
    for node in _all_below(root):
        node.children.sort(key=_when)
    root.children.sort(key=_when)
    return root.children


def _linked(rows: Iterable[tuple[int, Sortable]]) -> list[Node]:
    """Step 1: every message and all that any refers to, each below what it refers to last."""
    known: dict[bytes, Node] = {}
    every: list[Node] = []

    def node_of(identifier: bytes) -> Node:
        node = known.get(identifier)
        if node is None:
            node = known[identifier] = Node()
            every.append(node)
        return node

    for number, row in rows:
        own = _MESSAGE_ID.search(row.block.get(b"message-id") or b"")
        node = node_of(own[1]) if own is not None else None
        if node is None or node.number:
            # Without an id, or with one that another message has: nothing can refer to it.
            node = Node()
            every.append(node)
        fresh = _node(number, row)
        node.number, node.sent, node.subject, node.reply = fresh.number, fresh.sent, fresh.subject, fresh.reply
        before: Node | None = None
        for identifier in _references(row):
            reference = node_of(identifier)
            if before is not None and reference.parent is None and before.may_adopt(reference):
                before.adopt(reference)
            before = reference
        if before is not None and before.may_adopt(node):
            before.adopt(node)
        elif node.parent is not None:
            # Others thought it stood elsewhere; its own word counts.
            node.parent.children.remove(node)
            node.parent = None
    return every


def _references(row: Sortable) -> list[bytes]:
    found: list[bytes] = _MESSAGE_ID.findall(row.block.get(b"references") or b"")
    if found:
        return found[-MAX_REFERENCES:]
    return _MESSAGE_ID.findall(row.block.get(b"in-reply-to") or b"")[:1]


def _prune(root: Node) -> None:
    """Step 3: what is not there goes, unless it holds several threads together at the top."""
    for node in reversed([*_all_below(root)]):
        if node.number:
            continue
        parent = node.parent
        assert parent is not None
        if parent is root and len(node.children) > 1:
            continue
        at = parent.children.index(node)
        parent.children[at : at + 1] = node.children
        for child in node.children:
            child.parent = parent


def _all_below(root: Node) -> Iterator[Node]:
    """Each before its children."""
    todo = list(reversed(root.children))
    while todo:
        node = todo.pop()
        yield node
        todo += reversed(node.children)


def _when(node: Node) -> tuple[int, int]:
    """A root that is not there is as old as its first child."""
    if node.number:
        return node.sent, node.number
    return min((child.sent, child.number) for child in node.children)


def _join_by_subject(root: Node) -> None:
    """Step 5: threads of one base subject are one, though nothing refers from one to the other."""
    table: dict[str, Node] = {}
    for thread in root.children:
        subject, reply = _face(thread)
        other = table.get(subject)
        # Rather one that is not there, or no reply, as what others are put below.
        if subject and (
            other is None or (not thread.number and other.number) or (_face(other)[1] and not reply and other.number)
        ):
            table[subject] = thread
    joined: dict[Node, Node] = {}
    for thread in root.children:
        if thread.parent is not root:
            continue  # it went below another already
        subject, reply = _face(thread)
        other = table.get(subject)
        if other is None or other is thread:
            joined[thread] = thread
        elif not other.number:
            if thread.number:
                _put_below(other, thread)
            else:
                for child in thread.children:
                    _put_below(other, child)
        elif reply and not _face(other)[1]:
            _put_below(other, thread)
        else:
            # Neither answers the other: both go below one that is not there, in the other's place.
            holder = Node(parent=root)
            table[subject] = holder
            joined[other if other in joined else holder] = holder
            _put_below(holder, other)
            _put_below(holder, thread)
    root.children = [node for node in joined.values() if node.parent is root]


def _put_below(parent: Node, child: Node) -> None:
    child.parent = parent
    parent.children.append(child)


def _face(thread: Node) -> tuple[str, bool]:
    """Base subject, and whether it is a reply: of the first message that is there."""
    node = thread if thread.number else thread.children[0]
    return node.subject, node.reply
