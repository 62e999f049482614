"""Exchanges as they go over the wire, base64 aside."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_protocols.sasl import (
    CLIENT_MECHANISMS,
    SERVER_MECHANISMS,
    Challenge,
    Credentials,
    SaslCancelled,
    SaslError,
    client_mechanism,
    decode_base64,
    decode_initial_response,
    decode_response,
    encode_base64,
    server_mechanism,
)

TIM = Credentials("", "tim", "tanstaaftanstaaf")
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)


def test_plain_with_initial_response() -> None:
    assert server_mechanism("PLAIN").step(b"\0tim\0tanstaaftanstaaf") == TIM


def test_plain_without_initial_response() -> None:
    plain = server_mechanism("plain")
    assert plain.step(None) == Challenge(b"")
    assert plain.step(b"Ursel\0Kurt\0xipj3plmq") == Credentials("Ursel", "Kurt", "xipj3plmq")
    with pytest.raises(SaslError, match="over"):
        plain.step(b"\0tim\0x")


def test_login_by_prompts() -> None:
    login = server_mechanism("LOGIN")
    assert login.step(None) == Challenge(b"Username:")
    assert login.step(b"tim") == Challenge(b"Password:")
    assert login.step(b"tanstaaftanstaaf") == TIM
    with pytest.raises(SaslError, match="over"):
        login.step(b"tim")


def test_login_with_the_name_as_initial_response() -> None:
    login = server_mechanism("LOGIN")
    assert login.step(b"tim") == Challenge(b"Password:")
    assert login.step(b"tanstaaftanstaaf") == TIM


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"tim",
        b"\0tim",
        b"\0tim\0",
        b"\0\0secret",
        b"\0a\0b\0c",
        b"\0\xff\0x",
        b"\0tim\0" + b"x" * 1025,
        b"y" * 1025 + b"\0tim\0x",
        b"\0" * 9000,
    ],
)
def test_malformed_plain_is_refused(message: bytes) -> None:
    plain = server_mechanism("PLAIN")
    with pytest.raises(SaslError):
        plain.step(message)
    with pytest.raises(SaslError, match="over"):
        plain.step(message)


@pytest.mark.parametrize("answers", [[b""], [b"tim", b""], [b"x" * 1025], [b"tim", b"\xff"], [b"a\0b"], [b"tim", None]])
def test_malformed_login_is_refused(answers: list[bytes | None]) -> None:
    login = server_mechanism("LOGIN")
    login.step(None)
    with pytest.raises(SaslError):
        for answer in answers:
            login.step(answer)


def test_unknown_mechanism() -> None:
    with pytest.raises(KeyError):
        server_mechanism("ANONYMOUS")
    with pytest.raises(KeyError):
        client_mechanism("ANONYMOUS", TIM)


def test_a_password_is_never_shown() -> None:
    assert "tanstaaf" not in repr(TIM)
    with pytest.raises(SaslError) as caught:
        server_mechanism("PLAIN").step(b"\0tim\0geheim\xff")
    assert caught.value.__cause__ is None
    assert "geheim" not in caught.value.text


@given(texts, texts, st.sampled_from(sorted(CLIENT_MECHANISMS)), st.booleans())
@settings(max_examples=60, deadline=None)
def test_client_and_server_agree(name: str, password: str, mechanism: str, initial: bool) -> None:
    credentials = Credentials("", name, password)
    server, client = server_mechanism(mechanism), client_mechanism(mechanism, credentials)
    reply = server.step(client.initial() if initial else None)
    while isinstance(reply, Challenge):
        reply = server.step(client.step(reply.data))
    assert reply == credentials
    with pytest.raises(SaslError):
        client.step(b"and again?")


@given(st.sampled_from(sorted(SERVER_MECHANISMS)), st.lists(st.none() | st.binary(max_size=60), max_size=5))
@settings(max_examples=100, deadline=None)
def test_every_input_is_answered(mechanism: str, responses: list[bytes | None]) -> None:
    server = server_mechanism(mechanism)
    for response in responses:
        try:
            assert isinstance(server.step(response), Challenge | Credentials)
        except SaslError as error:
            assert error.text.isprintable()


def test_client_refuses_what_plain_cannot_carry() -> None:
    with pytest.raises(SaslError):
        client_mechanism("PLAIN", Credentials("", "a\0b", "c"))


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_base64_round_trip(data: bytes) -> None:
    assert decode_base64(encode_base64(data)) == data


@pytest.mark.parametrize("line", [b"=", b"a", b"ab", b"YQ", b"YQ==YQ==", b"Y Q=", b"YQ==\r\n", b"YR==", b"A" * 12_289])
def test_base64_is_strict(line: bytes) -> None:
    with pytest.raises(SaslError):
        decode_base64(line)


def test_cancel_and_empty_initial_response() -> None:
    with pytest.raises(SaslCancelled):
        decode_response(b"*")
    assert decode_initial_response(b"=") == b""
    assert decode_response(b"") == b""
