"""RFC 5232: flags on what is filed."""

import pytest

from barid_protocols.sieve import FileInto, Keep

NEEDS = 'require ["imap4flags", "fileinto", "variables"];\n'


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('setflag "\\\\Seen";', [Keep(("\\Seen",))]),
        ('setflag ["\\\\Seen", "$Work"]; addflag "\\\\Flagged"; removeflag "$WORK";', [Keep(("\\Seen", "\\Flagged"))]),
        ('addflag "\\\\seen \\\\SEEN  x";', [Keep(("\\Seen", "x"))]),
        ('addflag ["\\\\Recent", "\\\\Nonsense", "a(b", "a*", ""];', [Keep(())]),
        ('setflag "a"; setflag "b"; keep;', [Keep(("b",))]),
        ('setflag "a"; fileinto "A"; setflag "b"; fileinto "B";', [FileInto("A", ("a",)), FileInto("B", ("b",))]),
        ('setflag "a"; fileinto :flags "b" "A";', [FileInto("A", ("b",))]),
        ('setflag "a"; fileinto :flags "" "A";', [FileInto("A")]),
        ('keep :flags "a"; keep :flags ["b", "a"];', [Keep(("a", "b"))]),
        ('setflag "mine" ["a", "b"]; keep :flags "${mine}";', [Keep(("a", "b"))]),
        ('setflag "mine" "a"; addflag "mine" "b A"; removeflag "mine" "a"; fileinto "${mine}";', [FileInto("b")]),
        ('setflag "a b"; if hasflag "B" { discard; keep :flags "yes"; }', [Keep(("yes",))]),
        ('setflag "a b"; if hasflag :contains ["c", "b"] { keep :flags "yes"; }', [Keep(("yes",))]),
        ('setflag "a b"; if not hasflag "c d" { keep :flags "yes"; }', [Keep(("yes",))]),
        ('setflag "abc"; if hasflag :matches "a*" { keep :flags "${1}"; }', [Keep(("bc",))]),
        ('setflag "v" "x y"; if hasflag ["u", "v"] "y" { keep :flags "yes"; }', [Keep(("yes",))]),
        ('setflag "b"; set "f" "a b"; if hasflag "${f}" { keep :flags "yes"; }', [Keep(("yes",))]),
        ('set "f" "x"; addflag "${f}";', [Keep(("x",))]),
    ],
)
def test_flags(actions, script, expected):
    assert actions(NEEDS + script) == expected
