"""A bucket of an S3-compatible store, through the `minio` client.

What is known of that client (7.2): it takes an error for one only if it comes as application/xml, so errors are told
apart by status; without a region it asks for one, and fails the same way; it goes multipart above 5 MiB unless a part
size is given; what it reads of a stream it holds in memory, a part at a time.

A bucket that is not there is made by whoever finds that out first, if the key may: a new installation needs no step for
it. Later it is a calamity, which a new and empty one would hide: a process that has seen the bucket never makes it, and
neither does who only looks. A process that starts anew does not know.
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import BinaryIO, TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from ..logging import get_logger
from .place import S3Place
from .port import Listed, ObjectEnds, ObjectError, ObjectMissing, ObjectsRefused, ObjectsUnavailable

PART = 8 * 1024 * 1024
"""Bytes of a part of a large object: its memory."""

_LEAST_PART = 5 * 1024 * 1024
"""The protocol's, for all parts but the last."""

ATTEMPT = urllib3.Timeout(connect=5.0, read=15.0)
"""Seconds without a sign of life. S3 answers a PUT of 8 MiB within one; who waits longer could have tried again."""

_ABSENT = "time"
"""A key that no object has: the answer's date is what is asked for."""

_REFUSALS = frozenset({400, 401, 403, 405})

T = TypeVar("T")

log = get_logger("objects")


class _NoSuchBucket(ObjectsRefused):
    pass


class _AlreadyThere(ObjectsRefused):
    pass


class Bucket:
    """place's bucket. Any thread may use it. connections: kept open at once. makes: it makes the bucket if there is
    none; not for who only looks."""

    def __init__(
        self, place: S3Place, *, connections: int = 8, timeout: urllib3.Timeout = ATTEMPT, makes: bool = True
    ) -> None:
        parts = urlsplit(place.url)
        self._name = place.bucket
        self._where = f"{place.url} (bucket {place.bucket})"
        self._seen = not makes
        # No retries of its own: it would repeat what we count, and hide that the store is ill.
        self._http = urllib3.PoolManager(
            maxsize=connections,
            block=False,
            retries=False,
            timeout=timeout,
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(place.ca) if place.ca is not None else None,
        )
        self._client = Minio(
            parts.netloc,
            access_key=place.access_key,
            secret_key=place.secret_key,
            secure=parts.scheme == "https",
            region=place.region,
            http_client=self._http,
        )

    def put(self, key: str, data: bytes) -> None:
        size = len(data)
        self._ask(
            lambda: self._client.put_object(
                self._name, key, io.BytesIO(data), size, part_size=max(size, _LEAST_PART), num_parallel_uploads=1
            )
        )

    def put_stream(self, key: str, stream: BinaryIO, size: int) -> None:
        if not self._seen:
            next(self.below(""), None)  # makes the bucket: a stream can't be begun again
        self._ask(
            lambda: self._client.put_object(self._name, key, stream, size, part_size=PART, num_parallel_uploads=1)
        )

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        if length == 0:
            return b""  # the client takes 0 for "all"

        def read() -> bytes:
            response = self._client.get_object(self._name, key, offset=offset, length=length or 0)
            try:
                data = response.read()
            except BaseException:
                response.close()  # half an answer stands in the connection
                raise
            response.release_conn()
            return data

        return self._ask(read)

    def size(self, key: str) -> int | None:
        try:
            return self._ask(lambda: self._client.stat_object(self._name, key)).size
        except ObjectMissing:
            return None

    def below(self, prefix: str, *, after: str = "") -> Iterator[Listed]:
        found = self._client.list_objects(self._name, prefix, recursive=True, start_after=after or None)
        while (each := self._ask(lambda: next(found, None))) is not None:
            modified = each.last_modified
            yield Listed(each.object_name, each.size or 0, modified.timestamp() if modified else 0.0)

    def folders(self, prefix: str) -> list[str]:
        found = self._ask(lambda: list(self._client.list_objects(self._name, prefix)))
        return sorted(each.object_name for each in found if each.is_dir)

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            try:
                self._ask(lambda key=key: self._client.remove_object(self._name, key))  # type: ignore[misc]
            except ObjectMissing:
                continue

    def now(self) -> float:
        def read() -> str | None:
            try:
                headers = self._client.stat_object(self._name, _ABSENT).metadata
            except S3Error as error:
                if error.response.status != 404:
                    raise
                headers = error.response.headers
            return headers.get("date") if headers else None

        # Not by `_ask`: a 404 to HEAD doesn't say whether the bucket is there.
        date = self._once(read)
        try:
            return parsedate_to_datetime(date or "").timestamp()
        except ValueError:
            raise ObjectsUnavailable(f"{self._where}: an answer without a Date (RFC 9110 §6.6.1)") from None

    def close(self) -> None:
        self._http.clear()

    def _ask(self, call: Callable[[], T]) -> T:
        try:
            answer = self._once(call)
        except _NoSuchBucket as missing:
            if self._seen:
                raise
            self._make(missing)
            answer = self._once(call)
        self._seen = True
        return answer

    def _once(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except MinioException as error:
            raise self._told(error) from None
        except urllib3.exceptions.SSLError as error:
            reason = f"{str(error).rpartition('] ')[2][:200]}; look at BARID_S3_URL and BARID_S3_CA"
            raise ObjectsRefused(f"{self._where}: no TLS: {reason}") from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            # ValueError: an answer that is none, as the client meets it.
            raise ObjectsUnavailable(f"{self._where}: {_short(error)}") from None

    def _make(self, missing: ObjectsRefused) -> None:
        """Raises `missing` if we may not. Another replica may have been quicker."""
        try:
            self._once(lambda: self._client.make_bucket(self._name))
        except _AlreadyThere:
            return
        except ObjectsRefused:
            raise missing from None
        log.info("bucket_made", where=self._where)

    def _told(self, error: MinioException) -> ObjectError:
        status, code = 0, ""
        if isinstance(error, S3Error):
            status, code = getattr(error.response, "status", 0), str(error.code)
        elif isinstance(error, InvalidResponseError):
            status = error._code
            named = re.search(r"<Code>(\w+)</Code>", error._body or "")
            code = named.group(1) if named else ""
        elif isinstance(error, ServerError):
            status = error.status_code
        text = f"{self._where}: status {status}{' ' + code if code else ''}"
        if code == "NoSuchBucket":
            return _NoSuchBucket(f"{text}: there is no such bucket; make it, or correct BARID_S3_BUCKET")
        if code in ("BucketAlreadyExists", "BucketAlreadyOwnedByYou"):
            return _AlreadyThere(text)
        if status == 416:
            return ObjectEnds(text)
        if status == 404:
            return ObjectMissing(text)
        if status in _REFUSALS:
            return ObjectsRefused(f"{text}: look at BARID_S3_ACCESS_KEY, BARID_S3_SECRET_KEY and BARID_S3_REGION")
        return ObjectsUnavailable(text)


def _short(error: Exception) -> str:
    """One line: what urllib3 says of a connection begins with the pool's address."""
    return str(error).rpartition(": ")[2][:200] or type(error).__name__
