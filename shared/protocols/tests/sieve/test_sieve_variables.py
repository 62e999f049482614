"""RFC 5229: strings that change while the script runs."""

import pytest

from barid_protocols.sieve import FileInto, Keep, SieveRuntimeError

VARIABLES = 'require ["variables", "fileinto", "encoded-character"];\n'


@pytest.mark.parametrize(
    ("script", "mailbox"),
    [
        ('set "a" "x"; fileinto "${a}";', "x"),
        ('set "A" "x"; fileinto "<${a}>";', "<x>"),
        ('set "a" "x"; set "b" "${a}${a}"; fileinto "${b}";', "xx"),
        ('set "a" "${"; fileinto "${a}b}";', "${b}"),
        ('fileinto "<${unset}${7}>";', "<>"),
        ('fileinto "${}$ {a}${a";', "${}$ {a}${a"),
        ('set "a" "b"; fileinto "${${a}}";', "${b}"),
        ('set "a" "x"; fileinto "$${a}";', "$x"),
        ('set "a" "x"; fileinto "${hex:24}{a}";', "x"),
        ('set :upper "a" "jUmBo"; fileinto "${a}";', "JUMBO"),
        ('set :lower "a" "jUmBo"; fileinto "${a}";', "jumbo"),
        ('set :upperfirst "a" "jUmBo"; fileinto "${a}";', "JUmBo"),
        ('set :upperfirst :lower "a" "jUmBo"; fileinto "${a}";', "Jumbo"),
        ('set :lowerfirst :upper "a" "jUmBo"; fileinto "${a}";', "jUMBO"),
        ('set :quotewildcard "a" "Rock*?"; fileinto "${a}";', "Rock\\*\\?"),
        ('set :length "a" "größe"; fileinto "${a}";', "5"),
        ('set :length :quotewildcard "a" "*"; fileinto "${a}";', "2"),
        ('if header :matches "subject" "[*] * *" { fileinto "${1}/${3}/${02}"; }', "ops/report/Quarterly"),
        ('if header :matches "subject" "*e*" { fileinto "${1}"; }', "[ops] Quart"),
        ('if address :matches "from" "*@*" { fileinto "${0}"; }', "Alice@Example.COM"),
        ('if header :matches "subject" "[*" { if header :matches "subject" "nope*" {} fileinto "${1}"; }', None),
        ('if string :matches "a.b" "?.?" { fileinto "${1}${2}"; }', "ab"),
        ('set "k" "ops"; if header :contains "subject" "[${k}]" { fileinto "yes"; }', "yes"),
        ('set "k" "[o"; if header :matches "subject" "${k}*" { fileinto "${1}"; }', "ps] Quarterly report"),
        ('set "h" "X-Tag"; if header :is "${h}" "two" { fileinto "yes"; }', "yes"),
        ('set "h" "from"; if address :is "${h}" "alice@example.com" { fileinto "yes"; }', "yes"),
        ('if string :is "${unset}" "" { fileinto "yes"; }', "yes"),
    ],
)
def test_strings(actions, script, mailbox):
    assert actions(VARIABLES + script) == [FileInto(mailbox or "ops] Quarterly report")]


def test_an_address_test_on_a_header_without_addresses_fails(actions):
    script = VARIABLES + 'set "h" "subject"; if address :contains "${h}" "" { fileinto "no"; }'
    assert actions(script) == [Keep()]


def test_without_require_nothing_is_expanded(actions):
    assert actions('require "fileinto"; fileinto "${a}";') == [FileInto("${a}")]


def test_a_value_is_cut(actions):
    grow = 'set "a" "0123456789";' + 'set "a" "${a}${a}";' * 12
    assert actions(VARIABLES + grow + 'set :length "n" "${a}"; fileinto "${n}";') == [FileInto("4000")]


def test_expansion_is_limited(actions):
    grow = 'set "a" "0123456789";' + 'set "a" "${a}${a}";' * 12
    with pytest.raises(SieveRuntimeError, match="grows beyond"):
        actions(VARIABLES + grow + 'set "b" "' + "${a}" * 20 + '";')


def test_variables_are_limited(actions):
    actions(VARIABLES + "".join(f'set "v{n}" "x";' for n in range(128)))
    with pytest.raises(SieveRuntimeError, match="more than 128 variables"):
        actions(VARIABLES + "".join(f'set "v{n}" "x";' for n in range(129)))


@pytest.mark.parametrize("bad", ["", "a\\nb", "nobody"])
def test_a_bad_address_at_run_time_fails_the_run(actions, bad):
    with pytest.raises(SieveRuntimeError, match="not one mail address"):
        actions(f'require "variables"; set "a" "{bad}"; redirect "${{a}}";')


def test_a_bad_mailbox_at_run_time_fails_the_run(actions):
    with pytest.raises(SieveRuntimeError, match="line 2"):
        actions(VARIABLES + 'fileinto "${unset}";')
