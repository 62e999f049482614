"""RFC 5228: scripts, a message, and what should become of it."""

import pytest

from barid_protocols.sieve import Discard, FileInto, Keep, Redirect, SieveRuntimeError, Vacation, compile_script

FILE = 'require "fileinto";\n'


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("", [Keep()], id="an empty script keeps"),
        pytest.param("# only a comment\n/* and\nanother */", [Keep()], id="comments keep"),
        pytest.param("keep;", [Keep()], id="keep"),
        pytest.param("keep; keep;", [Keep()], id="keep twice keeps once"),
        pytest.param("discard;", [Discard()], id="discard"),
        pytest.param("discard; keep;", [Keep()], id="keep outweighs discard"),
        pytest.param("stop; discard;", [Keep()], id="nothing after stop"),
        pytest.param('redirect "eve@example.net";', [Redirect("eve@example.net")], id="redirect cancels the keep"),
        pytest.param('redirect "Eve <eve@example.net>";', [Redirect("eve@example.net")], id="redirect with a name"),
        pytest.param(
            'redirect "e@x.net"; redirect "e@X.NET"; redirect "E@x.net";',
            [Redirect("e@x.net"), Redirect("E@x.net")],
            id="a domain has no case, a local part may have",
        ),
        pytest.param(FILE + 'fileinto "A"; fileinto "A";', [FileInto("A")], id="into one folder once"),
        pytest.param(FILE + 'fileinto "A"; fileinto "a";', [FileInto("A"), FileInto("a")], id="folders have case"),
        pytest.param(FILE + 'fileinto "inbox"; keep;', [FileInto("inbox")], id="keep means the inbox"),
        pytest.param(
            FILE + 'fileinto "A"; keep; redirect "e@x.net";',
            [FileInto("A"), Keep(), Redirect("e@x.net")],
            id="in the order written",
        ),
        pytest.param(FILE + 'fileinto "A"; discard;', [FileInto("A")], id="discard takes back only the implicit keep"),
        pytest.param(
            FILE + 'if true { if false { discard; } else { fileinto "B"; stop; } } discard;',
            [FileInto("B")],
            id="stop inside blocks ends the script",
        ),
        pytest.param(
            FILE + 'if false { discard; } elsif true { fileinto "B"; } else { discard; }',
            [FileInto("B")],
            id="elsif",
        ),
        pytest.param("if false { discard; } elsif false { discard; } else { keep; }", [Keep()], id="else"),
        pytest.param("if true { }", [Keep()], id="an empty block"),
        pytest.param("IF TRUE { DISCARD; }", [Discard()], id="keywords have no case"),
    ],
)
def test_actions(actions, script, expected):
    assert actions(script) == expected


def test_the_implicit_keep_is_told_apart_from_a_written_one(run):
    assert run("").implicit_keep
    assert not run("keep;").implicit_keep


def test_actions_know_their_line(actions):
    assert [action.line for action in actions('require "fileinto";\n\nfileinto "A";\nkeep;')] == [3, 4]


@pytest.mark.parametrize(
    "test",
    [
        'header "subject" "[ops] quarterly report"',
        'header :is "Subject" "[OPS] Quarterly report"',
        'header :contains ["x-none", "SUBJECT"] ["nothing", "quarter"]',
        'header :matches "subject" "[ops]*"',
        'header :matches "subject" "?ops? *"',
        'header :matches "x-spam-score" "3.?"',
        'header :comparator "i;octet" :contains "subject" "Quarterly"',
        'not header :comparator "i;octet" :contains "subject" "quarterly"',
        'header "x-tag" "two"',
        'header :is "x-empty" ""',
        'header :contains "x-tag" ""',
        'not header :contains "x-none" ""',
        'header :matches "x-tag" "*"',
        'header "x-encoded" "Grüße aus Köln"',
        'not header "x-encoded" "GRÜßE aus Köln"',  # i;ascii-casemap knows A to Z only
        'exists ["From", "Date"]',
        'exists "x-empty"',
        'not exists ["From", "X-None"]',
        'not exists "sub ject"',
        'address "from" "alice@example.com"',
        'address :domain "from" "example.com"',
        'address :localpart "from" "alice"',
        'address :all :matches "to" "*@example.net"',
        'address :is ["to", "cc"] "carol@example.org"',
        'address "cc" "crew@lists.example.net"',
        'not address :contains "cc" "whole"',
        'not address :contains "from" "Example\\""',
        'not address "from" "team"',
        "size :over 3K",
        "not size :over 4000",
        "not size :under 4000",
        "size :under 1M",
        "allof (true, true, not false)",
        "not allof (true, false)",
        "anyof (false, true)",
        "not anyof (false, false)",
        "not not true",
    ],
)
def test_what_holds_for_the_message(holds, test):
    assert holds(test)


@pytest.mark.parametrize(
    "test",
    [
        'envelope "from" "alice@example.com"',
        'envelope :domain "to" "example.org"',
        'envelope :localpart ["from", "to"] "bob+sales"',
        'not envelope :contains "auth" ""',
    ],
)
def test_envelope(holds, test):
    assert holds(test, "envelope")


@pytest.mark.parametrize("part", ["", ":all", ":localpart", ":domain"])
def test_the_null_path_is_the_empty_string_whatever_the_part(holds, part):
    assert holds(f'envelope {part} "from" ""', "envelope", envelope_from="")
    assert holds(f'envelope {part} "from" ""', "envelope", envelope_from="<>")


def test_the_authenticated_sender(holds):
    assert holds('envelope "auth" "alice@example.com"', "envelope", envelope_auth="alice@example.com")


@pytest.mark.parametrize(("part", "key"), [(":user", "bob"), (":detail", "sales"), (":localpart", "bob+sales")])
def test_subaddress(holds, part, key):
    assert holds(f'envelope {part} "to" "{key}"', "envelope", "subaddress")
    assert holds(f'address {part} "to" "{key}"', "subaddress")


def test_no_separator_no_detail(holds):
    assert not holds('envelope :detail "from" ""', "envelope", "subaddress")
    assert not holds('envelope :detail :matches "from" "*"', "envelope", "subaddress")
    assert holds('envelope :detail "to" ""', "envelope", "subaddress", envelope_to="bob+@example.org")


def test_the_separator_is_the_hosts_choice(message):
    script = 'require ["envelope", "subaddress"]; if envelope :detail "to" "x" { discard; }'
    program = compile_script(script, separator="-")
    assert program.evaluate(message(envelope_to="bob-x@example.org")).actions == (Discard(),)


def test_encoded_characters(holds):
    assert holds('header :contains "x-tag" "${hex:6f 6E}e"', "encoded-character")
    assert holds('header :contains "x-encoded" "K${unicode: 00F6}ln"', "encoded-character")
    assert holds('header :contains "x-encoded" "K${hex: c3 B6}ln"', "encoded-character")
    assert not holds('header :contains "x-tag" "${hex:6f 6e}e"')


@pytest.mark.parametrize("text", ["${hex:}", "${hex:400}", "${hex 40}", "${unicode:}", "$ {hex:40}", "${hex:40"])
def test_what_only_looks_like_an_encoded_character_stays(actions, text):
    assert actions(f'require ["encoded-character", "fileinto"]; fileinto "{text}";') == [FileInto(text)]


def test_multi_line_strings(actions):
    script = 'require "vacation";\r\nvacation text: # away\r\n..dotted\r\nline\r\n.\r\n;'
    assert actions(script) == [Vacation(".dotted\r\nline\r\n"), Keep()]


def test_copy_leaves_the_implicit_keep(actions):
    script = 'require ["copy", "fileinto"]; fileinto :copy "A"; redirect :copy "e@x.net";'
    assert actions(script) == [FileInto("A", copy=True), Redirect("e@x.net", copy=True), Keep()]


def test_redirects_are_limited(actions):
    with pytest.raises(SieveRuntimeError, match="more than 4 redirects"):
        actions("".join(f'redirect "u{n}@example.net";' for n in range(5)))


def test_actions_are_limited(actions):
    script = FILE + "".join(f'fileinto "F{n}";' for n in range(33))
    with pytest.raises(SieveRuntimeError, match="more than 32 actions"):
        actions(script)


def test_the_implicit_keep_never_fails_for_the_limit_of_actions(actions):
    script = 'require ["fileinto", "copy"];' + "".join(f'fileinto :copy "F{n}";' for n in range(32))
    assert actions(script)[-1] == Keep()
