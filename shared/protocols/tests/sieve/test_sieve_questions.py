"""Scripts that need to know more than the message holds ask, and go on with the answer."""

import pytest

from barid_protocols.sieve import AskMailboxExists, FileInto, Keep, SieveRuntimeError, compile_script

SCRIPT = """
require ["fileinto", "mailbox"];
if mailboxexists ["Work", "Work/Ops"] { fileinto "Work/Ops"; stop; }
if mailboxexists "Work" { fileinto :create "Work/New"; }
"""


def play(program, message, store):
    """The dialogue between engine and host."""
    asked = []
    dialogue = program.run(message)
    try:
        question = next(dialogue)
        while True:
            asked.append(question.mailbox)
            question = dialogue.send(question.mailbox in store)
    except StopIteration as end:
        return asked, list(end.value.actions)


def test_questions_are_asked_once_each_and_only_when_needed(message):
    program = compile_script(SCRIPT)
    assert play(program, message(), {"Work", "Work/Ops"}) == (["Work", "Work/Ops"], [FileInto("Work/Ops")])
    assert play(program, message(), {"Work"}) == (["Work", "Work/Ops"], [FileInto("Work/New", create=True)])
    assert play(program, message(), set()) == (["Work"], [Keep()])


def test_the_same_without_a_generator(message):
    program = compile_script(SCRIPT)
    assert program.evaluate(message()) == AskMailboxExists("Work")
    answers = {AskMailboxExists("Work"): True}
    assert program.evaluate(message(), answers) == AskMailboxExists("Work/Ops")
    answers[AskMailboxExists("Work/Ops")] = True
    assert program.evaluate(message(), answers).actions == (FileInto("Work/Ops"),)


def test_questions_are_limited(message):
    names = ", ".join(f'"M{n}"' for n in range(40))
    program = compile_script(f'require "mailbox"; if mailboxexists [{names}] {{ discard; }}')
    try:
        play(program, message(), {f"M{n}" for n in range(40)})
    except SieveRuntimeError as error:
        assert "more than 32 questions" in str(error)
    else:
        raise AssertionError("the run went on asking")


def test_actions_before_a_question_are_proposed_once(message):
    program = compile_script('require ["fileinto", "mailbox"]; fileinto "A"; if mailboxexists "B" { fileinto "B"; }')
    assert play(program, message(), {"B"}) == (["B"], [FileInto("A"), FileInto("B")])


def test_repeated_runs_share_the_fuel(message):
    program = compile_script('require "mailbox"; if mailboxexists ["A", "B"] {}')
    answers = {AskMailboxExists(name): True for name in "AB"}
    assert program.evaluate(message(), answers).implicit_keep
    work = 'if header :contains "x-tag" ["a", "b", "c", "d", "e"] {} ' * 3000
    busy = compile_script('require "mailbox"; if not mailboxexists ["A", "B"] {} ' + work)
    assert busy.evaluate(message()) == AskMailboxExists("A")
    with pytest.raises(SieveRuntimeError, match="33333 units"):
        busy.evaluate(message("X-Tag: zzz\n" * 3), answers)
