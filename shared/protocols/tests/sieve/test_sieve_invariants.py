"""Whatever script meets whatever message: the run ends, and no message is lost by accident.

Invariants of a result: it is never empty; Discard stands only where nothing else keeps the message; at most one
Keep and one Vacation; an implicit keep is among the actions; the same run gives the same result.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.sieve import (
    Discard,
    FileInto,
    HeaderView,
    Keep,
    MailMessage,
    Redirect,
    SieveRuntimeError,
    Vacation,
    compile_script,
)

NEEDS = 'require ["fileinto","variables","imap4flags","copy","mailbox","vacation","subaddress","envelope"];\n'
TESTS = [
    'header :contains "subject" "${a}"',
    'header :matches ["from", "to"] "*a?*"',
    'address :detail "to" "x"',
    'address :matches "from" "*@*"',
    'exists ["a", "b"]',
    "size :over 10",
    'hasflag "x ${a}"',
    'string :matches "${a}" "*${1}*"',
    'envelope :domain "from" "x"',
    'mailboxexists "${a}"',
    "true",
    "false",
]
COMMANDS = [
    "keep;",
    "discard;",
    'fileinto "A${1}";',
    'fileinto :copy :create :flags "x y" "inbox";',
    'redirect "a@b.c";',
    'redirect :copy "${a}@x.y";',
    'set :upper "a" "${0}x${1}";',
    'addflag "${a}";',
    'removeflag "x";',
    'setflag "a" "q";',
    "stop;",
    'vacation :days 3 "r ${1}";',
]
tests = st.recursive(
    st.sampled_from(TESTS),
    lambda inner: (
        st.builds("not {}".format, inner)
        | st.builds("{} ({})".format, st.sampled_from(["allof", "anyof"]), st.lists(inner, min_size=1).map(", ".join))
    ),
    max_leaves=4,
)
commands = st.recursive(
    st.sampled_from(COMMANDS),
    lambda inner: st.builds("if {} {{ {} }} elsif {} {{ {} }} else {{ {} }}".format, tests, inner, tests, inner, inner),
    max_leaves=6,
)
FIELDS = [
    b"From: a@b\r\n",
    b'To: x+x@y, "q" <c@d>\r\n',
    b"Subject: XX \xff\r\n",
    b"a: =?utf-8?q?=41?=\r\n",
    b" fold\r\n",
    b"b",
]


@given(
    st.lists(commands, max_size=6).map("\n".join),
    st.lists(st.sampled_from(FIELDS), max_size=6).map(b"".join),
    st.sampled_from(["", "a@x"]),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_every_run_ends_with_the_message_accounted_for(script, block, sender, exists):
    program = compile_script(NEEDS + script)
    message = MailMessage(HeaderView(block), size=len(block), envelope_from=sender, envelope_to="b+x@c")

    def play():
        dialogue = program.run(message)
        try:
            next(dialogue)
            while True:
                dialogue.send(exists)
        except StopIteration as end:
            return end.value
        except SieveRuntimeError as error:
            return str(error)

    result = play()
    assert play() == result
    if isinstance(result, str):
        return
    kinds = [type(action) for action in result.actions]
    kept = {Keep, FileInto, Redirect}.intersection(kinds)
    assert kept or Discard in kinds
    assert not (kept and Discard in kinds)
    assert kinds.count(Keep) <= 1
    assert kinds.count(Vacation) <= 1
    assert len(set(result.actions)) == len(result.actions)
    if result.implicit_keep:
        assert any(isinstance(a, Keep) or (isinstance(a, FileInto) and a.mailbox == "inbox") for a in result.actions)
