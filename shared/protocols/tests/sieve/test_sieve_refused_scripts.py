"""Scripts that must not compile: the place, and a reason the author can act on."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from barid_protocols.sieve import Program, SieveSyntaxError, compile_script
from barid_protocols.sieve.limits import MAX_NESTING, MAX_SCRIPT_BYTES


@pytest.mark.parametrize(
    ("script", "line", "column", "reason"),
    [
        ("keep", 1, 5, 'expected ";" or a block, found end of script'),
        ("keep;\n  nonsense;", 2, 3, 'unknown command "nonsense"'),
        ("if nonsense { }", 1, 4, 'unknown test "nonsense"'),
        ('require "no-such";', 1, 9, 'unknown extension "no-such"'),
        ('require ["fileinto",\n "moon"];', 2, 2, 'unknown extension "moon"'),
        ('keep; require "fileinto";', 1, 7, "require must stand before"),
        ('if true { require "fileinto"; }', 1, 11, "require must stand before"),
        ('fileinto "A";', 1, 1, 'command "fileinto" needs require "fileinto"'),
        ('if envelope "from" "" { }', 1, 4, 'test "envelope" needs require "envelope"'),
        ('require "fileinto"; fileinto :copy "A";', 1, 30, '":copy" needs require "copy"'),
        ('if address :user "to" "x" { }', 1, 12, '":user" needs require "subaddress"'),
        ('keep :flags "x";', 1, 6, '":flags" needs require "imap4flags"'),
        ("keep 3;", 1, 6, "takes no further argument"),
        ("keep {}", 1, 1, "takes no block"),
        ("if true;", 1, 1, "needs a block"),
        ("if { }", 1, 1, "takes one test"),
        ("if (true) { }", 1, 5, "takes one test"),
        ("if allof true { }", 1, 10, "takes a list of tests"),
        ("if not (true) { }", 1, 9, "takes one test"),
        ("else { }", 1, 1, "does not follow an if"),
        ("if true {} else {} else {}", 1, 20, "does not follow an if"),
        ("if true {} keep; elsif true {}", 1, 18, "does not follow an if"),
        ("if true {} else true {}", 1, 17, "takes no test"),
        ('if header :is :contains "a" "b" { }', 1, 15, "only one of them"),
        ('if header "a" :is "b" { }', 1, 15, "must stand before"),
        ('if header :over "a" "b" { }', 1, 11, 'takes no ":over"'),
        ('if header "a" { }', 1, 4, "missing an argument"),
        ('if header :comparator 1 "a" "b" { }', 1, 11, "must be followed by a string"),
        ('if header :comparator "i;moon" "a" "b" { }', 1, 23, 'unknown comparator "i;moon"'),
        ("if size 3 { }", 1, 4, 'size needs ":over" or ":under"'),
        ('if size :over "3" { }', 1, 15, "takes a number"),
        ("if size :over 3X { }", 1, 15, "a number is digits"),
        ("if size :over 2G { }", 1, 15, "too large"),
        ("if size :over " + "9" * 5000 + " { }", 1, 15, "too large"),
        ('if address "subject" "x" { }', 1, 12, 'header "subject" holds no addresses'),
        ('require "envelope"; if envelope "by" "x" { }', 1, 33, 'unknown envelope part "by"'),
        ("keep; /* never closed", 1, 7, "comment is not closed"),
        ('redirect "never closed;', 1, 10, "string is not closed"),
        ("redirect text:\nnever closed", 1, 10, "no closing line"),
        ("redirect [];", 1, 11, 'expected a string, found punctuation "]"'),
        ('redirect "nobody";', 1, 10, "not one mail address"),
        ('redirect "a@b, c@d";', 1, 10, "not one mail address"),
        ('redirect "a@b\r\nBcc: x@y";', 1, 10, "not one mail address"),
        ('require "fileinto"; fileinto "";', 1, 30, "1 to 1000 characters"),
        ('require "encoded-character"; redirect "${unicode:110000}";', 1, 39, "no Unicode character"),
        ('require "encoded-character"; redirect "${unicode:d800}";', 1, 39, "no Unicode character"),
        ('require "encoded-character"; redirect "${hex:ff}";', 1, 39, "do not give UTF-8"),
        ('require "variables"; redirect "${33}";', 1, 31, "match variables go up to"),
        ('require "variables"; redirect "${env.x}";', 1, 31, "namespace"),
        ('require "variables"; set "1" "x";', 1, 26, "no name of a variable"),
        ('require "variables"; set "${a}" "x";', 1, 26, "no name of a variable"),
        ('require "variables"; set :lower :upper "a" "x";', 1, 33, "only one of them"),
        ('require "imap4flags"; setflag "a" "b";', 1, 23, 'needs require "variables"'),
        ("keep; \x01", 1, 7, 'unexpected character "?"'),
        (b"keep;\nkeep; # \xff", 2, 9, "not UTF-8"),
        (b'redirect "a\0@b";', 1, 10, "holds a NUL"),
    ],
)
def test_refused(script, line, column, reason):
    with pytest.raises(SieveSyntaxError) as refused:
        compile_script(script)
    error = refused.value
    assert reason in error.reason
    assert (error.line, error.column) == (line, column)


def test_nesting_has_a_limit():
    compile_script("if true { " * 15 + "keep;" + " }" * 15)  # RFC 5228 §2.10.5
    with pytest.raises(SieveSyntaxError, match="nested deeper"):
        compile_script("if true { " * (MAX_NESTING + 1) + "}" * (MAX_NESTING + 1))
    with pytest.raises(SieveSyntaxError, match="nested deeper"):
        compile_script("if " + "not " * 50_000 + "true { }")


def test_scripts_have_a_largest_size():
    with pytest.raises(SieveSyntaxError, match="larger than"):
        compile_script(b"#" * (MAX_SCRIPT_BYTES + 1))


def test_a_byte_order_mark_is_forgiven():
    compile_script(b"\xef\xbb\xbfkeep;")


VOCABULARY = """
require "fileinto" "variables" "imap4flags" "vacation" "encoded-character" if elsif else header address allof anyof not
true size exists string hasflag keep stop fileinto redirect set setflag vacation :is :matches :over :flags :days ( ) { }
:comparator "i;octet" [ ] , ; "a" "${a}" "${1}" "*?\\" "a@b" 1K /* #
"""
words = st.sampled_from([*VOCABULARY.split(), "text:\nx\n.\n", "\n"])


@given(st.lists(words, max_size=30).map(" ".join) | st.text(max_size=80))
@settings(max_examples=100, deadline=None)
@example('"${hex:')
@example("text:\n.")
def test_no_text_raises_anything_else(script):
    try:
        assert isinstance(compile_script(script), Program)
    except SieveSyntaxError as error:
        assert error.line >= 1
        assert error.column >= 1
        assert error.reason.isascii()
        assert error.reason.isprintable()


@given(st.binary(max_size=80))
@settings(max_examples=100, deadline=None)
def test_no_octets_raise_anything_else(script):
    try:
        compile_script(script)
    except SieveSyntaxError as error:
        assert str(error).isprintable()
