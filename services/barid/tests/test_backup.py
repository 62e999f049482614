"""Backups of systems at work, put back elsewhere: nothing accepted before is missing, nothing is there twice."""

import asyncio
import hashlib
import json
import os
import secrets
import shutil
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from barid.backup.contents import CONTENTS
from barid.backup.layout import BackupError, choose, prune
from barid.backup.layout import look as look_at
from barid.backup.places import by_settings
from barid.backup.restoring import restore
from barid.backup.verifying import verify
from barid.folder import DataFolder, FolderError
from barid_runtime.database.copies import open_draft, open_snapshot
from barid_runtime.database.door import Place
from barid_runtime.database.migrations import newest
from barid_runtime.objects.embedded import EmbeddedS3
from barid_testing.mail_system import Account, MailSystem

from .backups import Seen, look, put_back, save

BARID = str(Path(sys.executable).with_name("barid"))
LINE = "x" * 70 + "\r\n"


def a_system(folder: Path) -> MailSystem:
    """That looks at once for what is owed."""
    options = ("--set", "mailstore.reconcile_grace_at_start=0.2", "--set", "mailstore.reconcile_seconds=1")
    return MailSystem(folder, options)


def look_for(system: MailSystem, account: Account, subjects: list[str]) -> Seen:
    """The INBOX when all of these have come."""
    for subject in subjects:
        system.expect(to=account, subject=subject, within=60)
    return look(system, account)


def barid(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([BARID, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def killed_at(stage: str, call: str, *arguments: Path) -> None:
    """The call, in a process that is killed as soon as it has come so far."""
    code = (
        "import asyncio, os, sys; from pathlib import Path\n"
        "from barid.backup import layout, places, restoring, saving\n"
        f"def report(stage, done, total): stage == {stage!r} and os.kill(os.getpid(), 9)\n"
        f"a = [Path(each) for each in sys.argv[1:]]; asyncio.run({call})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == -9, done.stderr


class Load:
    """Somebody who sends all the time. acknowledged: subjects of what got its 250. first: set when it is ten."""

    def __init__(self, system: MailSystem, to: Account) -> None:
        self._system, self._to = system, to
        self.acknowledged: list[str] = []
        self.first = threading.Event()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with smtplib.SMTP(*self._system.smtp, timeout=30) as client:
            while not self._ends.is_set():
                subject = secrets.token_hex(8)
                text = f"Subject: {subject}\r\nFrom: x@far.test\r\n\r\n{LINE * 20}"
                client.sendmail("x@far.test", [self._to.address], text)
                self.acknowledged.append(subject)
                if len(self.acknowledged) == 10:
                    self.first.set()

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Saved"]:
    """A system with mail of all kinds, saved twice while more comes."""
    folder = tmp_path_factory.mktemp("saved")
    with a_system(folder / "first") as system:
        yield Saved(system, folder / "backups")


class Saved:
    def __init__(self, system: MailSystem, root: Path) -> None:
        self.root = root
        self.ann = system.account("ann")
        system.sieve(
            self.ann,
            'require ["fileinto", "mailbox"];\r\n'
            'if header :contains "subject" "order" { fileinto :create "Orders"; }\r\n',
        )
        for subject, lines in (("small", 1), ("spooled", 5_000), ("an object", 130_000), ("order", 2)):
            system.send(self.ann, to=self.ann, subject=subject, body=LINE * lines)
            system.expect(to=self.ann, subject=subject, within=30)
        system.send(self.ann, to="bob@far.test", subject="away")
        system.expect(to="bob@far.test", subject="away")
        self.before = look(system, self.ann)
        with Load(system, self.ann) as load:
            load.first.wait(30)
            self.certain = list(load.acknowledged)
            made = barid("backup", "--to", root, "--data", system.data, "--json")
            assert made.returncode == 0, made.stderr
            self.backup = choose(root, json.loads(made.stdout)["name"])
        self.data = system.data


def test_all_that_was_accepted_before_is_back_once(saved: Saved, tmp_path: Path) -> None:
    assert saved.backup.manifest.missing == ()
    assert list(verify(saved.backup)) == []
    done = barid("restore", "--from", saved.root, "--data", tmp_path / "second" / "data")
    assert done.returncode == 0, done.stderr
    for private in (saved.root, tmp_path / "second" / "data"):
        assert [path for path in private.rglob("*") if path.lstat().st_mode & 0o077] == []
    with a_system(tmp_path / "second") as system:
        seen = look_for(system, saved.ann, saved.certain)
        assert seen.uidvalidity > saved.before.uidvalidity
        assert len(set(seen.uids)) == len(seen.uids)
        # Byte for byte, and flag for flag.
        assert all(seen.mails[mail] == 1 for mail in saved.before.mails)
        assert all(seen.subjects[subject] == 1 for subject in saved.certain)
        assert max(seen.subjects.values()) == 1
        assert look(system, saved.ann, "Orders").subjects == {"order": 1}
        assert [mail.subject for mail in system.captured()] == ["away"]
        # And it goes on.
        system.send(saved.ann, to=saved.ann, subject="another order")
        assert system.expect(to=saved.ann, subject="another order").mailbox == "Orders"
        system.send(saved.ann, to="bob@far.test", subject="away again")
        system.expect(to="bob@far.test", subject="away again")


def test_what_an_earlier_backup_has_is_not_copied_again(saved: Saved, tmp_path: Path) -> None:
    packs = {path: path.stat().st_mtime_ns for path in saved.root.glob("objects/*")}
    assert packs
    again = save(saved.data, saved.root)
    assert list(verify(again)) == []
    assert {path: path.stat().st_mtime_ns for path in saved.root.glob("objects/*")} == packs


def test_older_backups_go_with_what_only_they_needed(saved: Saved, tmp_path: Path) -> None:
    root = tmp_path / "backups"
    first, second = save(saved.data, root), save(saved.data, root)
    (large,) = root.glob("objects/*")
    alone = root / "packs" / "smtp_ingress.01ARZ3NDEKTSV4RRFFQ69G5FAV" / "000001.pack"
    alone.parent.mkdir(parents=True)
    alone.write_bytes(b"named by the first alone")
    assert prune(root, 2) == []
    assert alone.exists()
    assert prune(root, 1) == [first.name]
    assert [each.name for each in look_at(root).finished] == [second.name]
    assert list(verify(second)) == []
    assert (large.exists(), alone.parent.exists()) == (True, False)


def test_what_the_journal_has_lost_stays_in_the_newest_backup_or_keeps_the_older_ones(
    saved: Saved, tmp_path: Path
) -> None:
    data, root = tmp_path / "data", tmp_path / "backups"
    put_back(saved.root, data)
    first = save(data, root)
    assert first.manifest.packs > 0
    assert first.manifest.objects > 0
    names = first.journal().keys()
    shutil.rmtree(data / "journal")
    made = barid("backup", "--to", root, "--data", data, "--keep", 1)
    assert made.returncode == 0, made.stderr
    assert "the journal has lost" in made.stderr
    (second,) = look_at(root).finished
    assert second.name != first.name
    assert second.journal().keys() == names
    assert list(verify(second)) == []
    # A copy that rotted is none.
    (large,) = root.glob("objects/*")
    large.write_bytes(large.read_bytes()[:-1] + b"?")
    made = barid("backup", "--to", root, "--data", data, "--keep", 1, "--json")
    assert made.returncode == 1
    assert json.loads(made.stdout)["missing"] == [f"objects/{large.name}"]
    assert "no older backup was removed" in made.stderr
    assert [each.name for each in look_at(root).finished] == [second.name, choose(root).name]
    assert second.name != choose(root).name
    assert large.exists()


def test_a_backup_that_was_cut_off_is_none(saved: Saved, tmp_path: Path) -> None:
    call = "saving.back_up(places.by_settings(a[0]), a[1], report=report)"
    killed_at("tables of relay", call, saved.data, tmp_path / "backups")
    (name,) = look_at(tmp_path / "backups").unfinished
    with pytest.raises(BackupError, match="never finished"):
        choose(tmp_path / "backups", name)
    refused = barid("restore", "--from", tmp_path / "backups", "--data", tmp_path / "data")
    assert refused.returncode == 1
    assert "never finished" in refused.stderr
    assert not (tmp_path / "data" / "mailstore.db").exists()
    save(saved.data, tmp_path / "backups")
    assert look_at(tmp_path / "backups").unfinished == []


def test_a_restore_that_was_cut_off_is_seen_and_ended(saved: Saved, tmp_path: Path) -> None:
    system = a_system(tmp_path)
    call = "restoring.restore(layout.choose(a[0]), places.by_settings(a[1]), report=report)"
    killed_at("tables of relay", call, saved.root, system.data)
    refused = barid("up", "--data", system.data, "--ephemeral")
    assert refused.returncode != 0
    assert "a restore that did not end" in refused.stderr
    assert put_back(saved.root, system.data).rows == sum(
        sum(tables.rows.values()) for tables in choose(saved.root).manifest.services.values()
    )
    DataFolder(system.data).refuse_half_restored()
    assert not list(system.data.glob("*.draft*"))


def test_a_restore_into_a_folders_own_database_is_ended_wherever_it_was_cut_off(
    saved: Saved, tmp_path: Path, postgres_server: object
) -> None:
    url = _new_database(postgres_server, f"cut_{secrets.token_hex(4)}")
    folder = DataFolder(tmp_path)
    places = replace(by_settings(tmp_path, database_url=url), folder=folder, own_database=True)

    def again() -> int:
        return asyncio.run(restore(choose(saved.root), places)).rows

    rows = again()
    with pytest.raises(BackupError, match="with rows in it"):
        again()
    # As one leaves it that was killed when all tables were there.
    folder.restoring_file.write_text(f"{choose(saved.root).name}\n")
    with pytest.raises(FolderError, match="did not end"):
        folder.refuse_half_restored()
    assert again() == rows
    folder.refuse_half_restored()


def test_what_is_damaged_is_named(saved: Saved, tmp_path: Path) -> None:
    backup = save(saved.data, tmp_path / "backups")
    table = backup.table("mailstore", "message")
    table.write_bytes(table.read_bytes()[:-9] + b"x" * 9)
    (large,) = (tmp_path / "backups" / "objects").iterdir()
    large.unlink()
    found = barid("backup", "verify", tmp_path / "backups")
    assert found.returncode == 1
    assert f"{table.relative_to(backup.root)}: damaged" in found.stdout
    assert f"objects/{large.name}: missing" in found.stdout
    with pytest.raises(BackupError, match=large.name):
        put_back(tmp_path / "backups", tmp_path / "data")
    (backup.folder / "SHA256SUMS").write_text("")
    with pytest.raises(BackupError, match="SHA256SUMS is damaged"):
        put_back(tmp_path / "backups", tmp_path / "data")


def test_only_an_empty_place_is_filled(saved: Saved, tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="in use by another"):
        put_back(saved.root, saved.data)
    put_back(saved.root, tmp_path)
    with pytest.raises(BackupError, match=r"mailstore\.db is there already"):
        put_back(saved.root, tmp_path)
    for each in tmp_path.glob("*.db"):
        each.unlink()
    (tmp_path / "journal" / "smtp_ingress.01ARZ3NDEKTSV4RRFFQ69G5FAV").mkdir()
    (tmp_path / "journal" / "smtp_ingress.01ARZ3NDEKTSV4RRFFQ69G5FAV" / "000001.pack").write_bytes(b"x" * 100)
    with pytest.raises(BackupError, match="--keep-journal"):
        put_back(saved.root, tmp_path)
    # Nothing was begun, so nothing keeps what is there from being used.
    DataFolder(tmp_path).refuse_half_restored()


def test_tables_from_a_backup_and_a_journal_that_went_on(tmp_path: Path) -> None:
    """The database was lost, the mail was not: what came after the backup is delivered here, and held for elsewhere."""
    system = a_system(tmp_path)
    with system:
        ann = system.account("ann")
        system.send(ann, to=ann, subject="before")
        system.expect(to=ann, subject="before")
        save(system.data, tmp_path / "backups", journal=False)
        for subject in ("one", "two"):
            system.send(ann, to=[ann, "bob@far.test"], subject=subject)
            system.expect(to="bob@far.test", subject=subject)
            system.expect(to=ann, subject=subject)
    # Its pack was done with, said tables that nobody has any more.
    (pack,) = system.data.glob("journal/smtp_ingress.*/*.pack")
    pack.with_suffix(".closed").touch()
    for each in system.data.glob("*.db*"):
        each.unlink()
    with pytest.raises(BackupError, match="tables only"):
        put_back(tmp_path / "backups", system.data)
    done = put_back(tmp_path / "backups", system.data, keep_journal=True)
    assert (done.mailboxes, done.held) == (6, 0)
    with system:
        system.expect(to=ann, subject="two", within=30)
        system.expect(to=ann, subject="one", within=30)
        assert look(system, ann).subjects == {"before": 1, "one": 1, "two": 1}
        while len(held := system.api.get("/v1/queue")["items"]) < 2:
            time.sleep(0.05)
        assert [(item["address"], item["state"]) for item in held] == [("bob@far.test", "held")] * 2
        assert "before the restore" in held[0]["last_error"]
        assert system.captured() == []
        system.api.send("POST", "/v1/queue/release", {"all": True})
        system.expect(to="bob@far.test", subject="two")


def test_a_newer_programs_backup_is_refused(saved: Saved, tmp_path: Path) -> None:
    backup = save(saved.data, tmp_path / "backups")
    manifest = backup.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"revision": "', '"revision": "9'))
    with pytest.raises(BackupError, match="newer than this program's"):
        put_back(tmp_path / "backups", tmp_path / "data")
    manifest.write_text("{")
    with pytest.raises(BackupError, match="no finished backup"):
        choose(tmp_path / "backups")


def test_a_name_that_leads_out_of_the_journal_is_refused(saved: Saved, tmp_path: Path) -> None:
    backup = save(saved.data, tmp_path / "backups")
    sums = backup.folder / "SHA256SUMS"
    sums.write_text(sums.read_text() + f"{'0' * 64}  packs/../../secrets/accounts.json\n")
    manifest = backup.folder / "manifest.json"
    digest = hashlib.sha256(sums.read_bytes()).hexdigest()
    manifest.write_text(manifest.read_text().replace(backup.manifest.sums, digest))
    with pytest.raises(BackupError, match=r"names what is none of a backup's: packs/\.\./"):
        put_back(tmp_path / "backups", tmp_path / "data")


@pytest.mark.parametrize("contents", CONTENTS, ids=lambda each: each.service)
async def test_every_table_is_saved_or_left_out_on_purpose(contents: object, tmp_path: Path) -> None:
    """Whoever adds one says which."""
    each = next(one for one in CONTENTS if one is contents)
    draft = await open_draft(Place(tmp_path / "x.db"), each.migrations, newest(each.migrations))
    snapshot = await open_snapshot(draft.place)
    assert (await snapshot.tables()).keys() == {*each.tables, *each.left_out}
    await snapshot.close()


def test_from_files_to_postgresql_and_a_bucket_and_back(
    saved: Saved, tmp_path: Path, postgres_server: object, monkeypatch: pytest.MonkeyPatch, s3_server: EmbeddedS3
) -> None:
    database = f"moved_{secrets.token_hex(4)}"
    url = _new_database(postgres_server, database)
    place = s3_server.place
    settings = {
        "DATABASE_URL": url,
        "S3_URL": place.url,
        "S3_BUCKET": _new_bucket(s3_server),
        "S3_ACCESS_KEY": place.access_key,
        "S3_SECRET_KEY": place.secret_key,
        "S3_PUT_SECONDS": "1",
        "S3_PUT_MARGIN": "1",
    }
    for name, value in settings.items():
        monkeypatch.setitem(os.environ, f"BARID_{name}", value)
    moved = a_system(tmp_path / "moved")
    assert by_settings(moved.data).kind == "cluster"
    put_back(saved.root, moved.data)
    with pytest.raises(BackupError, match="with rows in it"):
        put_back(saved.root, moved.data)
    with moved:
        seen = look_for(moved, saved.ann, saved.certain)
        assert all(seen.mails[mail] == 1 for mail in saved.before.mails)
        assert max(seen.subjects.values()) == 1
        moved.send(saved.ann, to=saved.ann, subject="in the bucket")
        moved.expect(to=saved.ann, subject="in the bucket", within=30)
        with pytest.raises(BackupError, match="in use"):
            put_back(saved.root, moved.data)
        save(moved.data, tmp_path / "backups")
        then = look(moved, saved.ann)
    for name in settings:
        monkeypatch.delitem(os.environ, f"BARID_{name}")
    back = a_system(tmp_path / "back")
    put_back(tmp_path / "backups", back.data)
    with back:
        now = look(back, saved.ann)
        assert (now.mails, now.uids) == (then.mails, then.uids)
        assert now.uidvalidity > then.uidvalidity
        back.send(saved.ann, to=saved.ann, subject="home again")
        back.expect(to=saved.ann, subject="home again")


def _new_database(server: object, name: str) -> str:
    import asyncpg

    from barid_runtime.database.embedded import EmbeddedPostgres

    assert isinstance(server, EmbeddedPostgres)

    async def make() -> None:
        admin = await asyncpg.connect(server.url())
        await admin.execute(f"CREATE DATABASE {name}")
        await admin.close()

    asyncio.run(make())
    return server.url(name)


def _new_bucket(server: EmbeddedS3) -> str:
    name = f"test-{secrets.token_hex(6)}"
    (server.buckets / name).mkdir(parents=True)
    return name


@pytest.mark.slow
def test_the_cluster_size_on_one_machine(saved: Saved) -> None:
    """From the embedded size into `barid up --size cluster`, by the commands alone, and on from there."""
    # Not pytest's folder: it is closed to the user that root's PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="barid-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        (folder / "one").mkdir()
        cluster = MailSystem(folder / "one", ["--size", "cluster"], processes=0)
        for cut_off in ("", choose(saved.root).name):
            if cut_off:
                DataFolder(cluster.data).restoring_file.write_text(f"{cut_off}\n")
            done = barid("restore", "--from", saved.root, "--data", cluster.data, "--size", "cluster")
            assert done.returncode == 0, done.stderr
        refused = barid("backup", "--data", cluster.data, "--to", folder / "backups")
        assert refused.returncode == 1
        assert "does not run" in refused.stderr
        with cluster:
            seen = look(cluster, saved.ann)
            assert all(seen.mails[mail] == 1 for mail in saved.before.mails)
            cluster.send(saved.ann, to=saved.ann, subject="in the cluster")
            cluster.expect(to=saved.ann, subject="in the cluster", within=30)
            made = barid("backup", "--data", cluster.data, "--to", folder / "backups", "--json")
            assert made.returncode == 0, made.stderr
            assert json.loads(made.stdout)["kind"] == "cluster"
        other = a_system(folder / "other")
        put_back(folder / "backups", other.data)
        with other:
            assert look(other, saved.ann).subjects["in the cluster"] == 1
