"""The way to the bucket is encrypted, and it is the store who is at its end."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from barid_runtime.objects.place import S3Place
from barid_runtime.objects.port import ObjectsRefused
from barid_runtime.objects.s3 import Bucket
from barid_runtime.tls import server_context
from barid_testing.certificates import Authority
from barid_testing.tls_front import TlsFront


def plain_port(place: S3Place) -> int:
    return int(place.url.rpartition(":")[2])


async def test_only_a_store_that_our_authority_vouches_for_gets_our_mail(s3_place: S3Place, tmp_path: Path) -> None:
    ours, strange = Authority(tmp_path / "ours"), Authority(tmp_path / "strange", "somebody else's")

    async def put(by: Authority, address: str, trusted: Path | None) -> None:
        pair = by.issue("s3", address)
        async with TlsFront(plain_port(s3_place), server_context(pair.certificate, pair.key)) as front:
            bucket = Bucket(replace(s3_place, url=f"https://127.0.0.1:{front.port}", ca=trusted))
            try:
                await asyncio.to_thread(bucket.put, "greeting", b"hello")
                assert await asyncio.to_thread(bucket.get, "greeting") == b"hello"
            finally:
                bucket.close()

    await put(ours, "127.0.0.1", ours.certificate)
    (tmp_path / "nonsense.pem").write_text("nonsense")
    for by, address, trusted, said in (
        (strange, "127.0.0.1", ours.certificate, "certificate verify failed"),
        (ours, "127.0.0.2", ours.certificate, "IP address mismatch"),
        (ours, "127.0.0.1", None, "certificate verify failed"),
        (ours, "127.0.0.1", tmp_path / "nonsense.pem", "no certificate or crl found"),
    ):
        with pytest.raises(ObjectsRefused, match=said) as caught:
            await put(by, address, trusted)
        assert "BARID_S3_CA" in str(caught.value)
        assert "\n" not in str(caught.value)
