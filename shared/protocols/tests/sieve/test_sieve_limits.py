"""Scripts and messages made to hurt: each ends soon, with a result or a clear error."""

import time

import pytest

from barid_protocols.sieve import HeaderView, MailMessage, Result, SieveRuntimeError, SieveSyntaxError, compile_script

NEEDS = 'require ["variables", "imap4flags", "fileinto"];\n'
GROW = 'set "a" "0 2 4 6 89";' + 'set "a" "${a}${a}";' * 12
BIG = b"Subject: " + b"a" * 60_000 + b"\r\nTo: " + b"a@b," * 12_000 + b"\r\n"

SCRIPTS = {
    "long substrings": ('if header :contains "subject" ["%sb"] {}\n' % ("a" * 90)) * 1900,
    "long patterns": ('if header :matches "subject" "*?%sb*" {}\n' % ("a" * 30_000)) * 8,
    "many wildcards": ('if header :matches "subject" "%sb" {}\n' % ("*?a" * 400)) * 200,
    "only stars": ('if header :matches "subject" "%sb" {}\n' % ("*" * 4000)) * 60,
    "many addresses": 'if address :domain :contains "to" ["x", "y"] {}\n' * 4000,
    "many flags": GROW + ('addflag "%s";\n' % ("${a}" * 16)) * 2500,
    "patterns made at run time": 'set "a" "%s";' % ("?a" * 2000) + 'if header :matches "subject" "${a}*" {}\n' * 4000,
    "an address made at run time": GROW + 'redirect "%s@b";' % ("${a}" * 15),
    "many commands": "keep;" * 50_000,
    "many branches": "if false {} " + "elsif false {}" * 17_000,
    "many strings": 'if header "a" [' + '"",' * 80_000 + '""] {}',
    "question marks": 'if header :matches "a" "' + "?" * 250_000 + '" {}',
    "open brackets": "if anyof (" * 25_000,
    "open comments": "/* " * 80_000,
    "open strings": '"' * 200_001,
    "references": 'set "a" "' + "${a}" * 60_000 + '";',
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_ends_soon(script):
    started = time.process_time()
    message = MailMessage(HeaderView(BIG), size=len(BIG), envelope_from="", envelope_to="bob@example.org")
    try:
        assert isinstance(compile_script(NEEDS + script).evaluate(message), Result)
    except (SieveSyntaxError, SieveRuntimeError) as error:
        assert str(error).isprintable()
    assert time.process_time() - started < 5  # under one on an idle machine


def test_a_large_white_list_is_no_attack(run):
    names = ",".join(f'"friend{n}@example.org"' for n in range(5000))
    assert run(f'if address ["from", "to", "cc"] [{names}] {{ discard; }}').spent < 20
    assert run(f'if address :contains ["from", "to", "cc"] [{names}] {{ discard; }}').implicit_keep
