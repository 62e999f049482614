"""argon2id on a small pool of threads. argon2 lets go of the GIL, so threads are cores."""

import asyncio
import base64
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher as Argon2
from argon2.exceptions import Argon2Error, InvalidHashError

from ..ports import HashingBusy

TIME_COST = 2
MEMORY_KIB = 19_456
PARALLELISM = 1
"""19 MiB, two passes, one lane: the OWASP cheat sheet's recommendation for argon2id; about 20 ms of a core."""

MAX_WAITING = 256
"""Hashings that may wait: at 20 ms each on two threads the last waits 2.5 s, half of a request's deadline."""


class Argon2Hasher:
    """Implements ports.PasswordHasher. What is cheap to say about a hash is said on the loop."""

    def __init__(
        self, *, threads: int, time_cost: int = TIME_COST, memory_kib: int = MEMORY_KIB, max_waiting: int = MAX_WAITING
    ) -> None:
        self._argon2 = Argon2(time_cost=time_cost, memory_cost=memory_kib, parallelism=PARALLELISM)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._room = max_waiting + threads
        # Random salt and digest are as good as a hash of something, and cost nothing to make.
        salt, digest = _base64(secrets.token_bytes(16)), _base64(secrets.token_bytes(32))
        self._dummy = f"$argon2id$v=19$m={memory_kib},t={time_cost},p={PARALLELISM}${salt}${digest}"

    @property
    def dummy(self) -> str:
        return self._dummy

    async def hash(self, password: bytes) -> str:
        self._take_place()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._argon2.hash, password)
        finally:
            self._room += 1

    async def verify(self, hashed: str, password: bytes) -> bool:
        self._take_place()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._verify, hashed, password)
        finally:
            self._room += 1

    def outdated(self, hashed: str) -> bool:
        try:
            return self._argon2.check_needs_rehash(hashed)
        except InvalidHashError:
            return False

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, hashed: str, password: bytes) -> bool:
        try:
            return self._argon2.verify(hashed, password)
        except (Argon2Error, InvalidHashError):
            return False

    def _take_place(self) -> None:
        if self._room <= 0:
            raise HashingBusy
        self._room -= 1


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode().rstrip("=")
