"""Settings: where they come from, which wins, and what is said when they are wrong."""

from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field, SecretStr

from barid_runtime.settings import EXIT_SETTINGS, ServiceSettings, SettingsError, load, load_or_exit


class RelaySettings(ServiceSettings):
    section: ClassVar[str] = "relay"

    outbound: str = "capture"
    retries: int = 3
    api_secret: SecretStr = SecretStr("")
    hashes: tuple[str, ...] = ()
    routes: dict[str, str] = Field(default_factory=dict)


@pytest.fixture(autouse=True)
def no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BARID_DATA", raising=False)


def test_environment_then_secrets_then_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "barid.toml"
    file.write_text('data = "/file"\nhostname = "mx.file"\nretries = 7\nother = 1\n[relay]\noutbound = "direct"\n')
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "bus_password").write_text("hush\n")
    (secrets / "barid_api_secret").write_text("quiet")
    monkeypatch.setenv("BARID_SETTINGS_FILE", str(file))
    monkeypatch.setenv("BARID_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("BARID_HOSTNAME", "mx.env")

    settings = load(RelaySettings, host="::1")

    assert (settings.data, settings.hostname, settings.host) == (Path("/file"), "mx.env", "::1")
    assert (settings.outbound, settings.retries) == ("direct", 7)
    assert settings.bus_password.get_secret_value() == "hush"
    assert settings.api_secret.get_secret_value() == "quiet"
    assert "hush" not in repr(settings)


def test_lists_and_tables_are_json_wherever_they_are_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hashes").write_text('["a", "b"]\n')
    monkeypatch.setenv("BARID_SECRETS_DIR", str(tmp_path))
    settings = load(RelaySettings, data="/d", routes='{"a.test": "host:25"}', outbound="[not json]")
    assert (settings.hashes, settings.routes) == (("a", "b"), {"a.test": "host:25"})
    assert settings.outbound == "[not json]"
    with pytest.raises(SettingsError, match="BARID_HASHES is wrong"):
        load(RelaySettings, data="/d", hashes="[not json]")


def test_a_missing_setting_says_what_to_do() -> None:
    with pytest.raises(SettingsError) as caught:
        load(RelaySettings)
    assert "BARID_DATA is missing" in str(caught.value)
    assert "set BARID_DATA, or `data` in the settings file" in str(caught.value)


def test_a_wrong_setting_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARID_RETRIES", "tuesday-secret")
    monkeypatch.setenv("BARID_LOG_LEVEL", "loud")
    with pytest.raises(SettingsError) as caught:
        load(RelaySettings, data="/x")
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["BARID_LOG_LEVEL", "BARID_RETRIES"]
    assert "tuesday" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [("data = ", "not TOML"), ("[relay]\nretrys = 3", r"\[relay\] has no setting retrys"), ("relay = 3", "a table")],
)
def test_a_wrong_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, said: str) -> None:
    file = tmp_path / "barid.toml"
    file.write_text(content)
    monkeypatch.setenv("BARID_SETTINGS_FILE", str(file))
    with pytest.raises(SettingsError, match=said):
        load(RelaySettings, data="/x")


def test_a_file_or_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARID_SETTINGS_FILE", "/nowhere/barid.toml")
    with pytest.raises(SettingsError, match="correct the path"):
        load(RelaySettings, data="/x")
    monkeypatch.delenv("BARID_SETTINGS_FILE")
    monkeypatch.setenv("BARID_SECRETS_DIR", "/nowhere")
    with pytest.raises(SettingsError, match="is no folder"):
        load(RelaySettings, data="/x")


def test_main_prints_and_exits(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load_or_exit(RelaySettings)
    assert caught.value.code == EXIT_SETTINGS
    assert capsys.readouterr().err.startswith("BARID_DATA is missing")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bus_replicas": "2"}, "BARID_BUS_REPLICAS is wrong .*: it must be 1, 3 or 5"),
        (
            {"bus_url": "nats://mda:hush@bus:4222"},
            "BARID_BUS_URL is wrong .* set BARID_BUS_USER and BARID_BUS_PASSWORD",
        ),
        (
            {"bus_url": "nats://one:4222,http://two"},
            "BARID_BUS_URL is wrong .*: each server is written nats://host:port",
        ),
        ({"bus_ca": "/there/is/none"}, "BARID_BUS_CA is wrong .*: Path does not point to a file"),
        ({"bus_certificate": __file__}, "^bus_certificate and bus_key go together: set both or neither$"),
    ],
)
def test_a_wrong_way_to_the_bus_is_one_line(given: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        load(ServiceSettings, data="/data", **given)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_way_to_the_bus_is_read() -> None:
    settings = load(
        ServiceSettings,
        data="/data",
        bus_url="tls://one:4222, tls://two:4222",
        bus_user="mda",
        bus_password="hush",
        bus_ca=__file__,
        bus_replicas="3",
    )
    assert settings.bus.servers == ["tls://one:4222", "tls://two:4222"]
    assert (settings.bus.user, settings.bus.password, settings.bus.replicas) == ("mda", "hush", 3)
    assert settings.bus.insists_on_tls
    assert "hush" not in repr(settings.bus)
