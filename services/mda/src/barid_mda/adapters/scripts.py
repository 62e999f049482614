"""Active scripts, compiled, remembered until the mailstore says that there is a newer one.

Nothing tells of a changed script: the mailstore answers `stale` when a delivery ran another than its active one, and
does nothing; so what is remembered here may be old, never wrong.
"""

import asyncio

from barid_contracts.settle import ACTIVE_SCRIPT, ActiveScriptRequest
from barid_protocols.sieve import SieveSyntaxError, compile_script
from barid_runtime.bus.port import Bus
from barid_runtime.bus.typed import call

from ..ports import NO_SCRIPT, UNKNOWN, Script, Unknown

MAX_ACCOUNTS = 50_000
"""Accounts whose script is remembered; most have none, and cost a few hundred bytes."""

MAX_COMPILED = 2_000
"""Programs kept, each some ten times its text; shared by accounts with the same text."""

INLINE_BYTES = 16 * 1024
"""Scripts up to this size compile on the loop, in some milliseconds; larger ones go to a thread."""


class RememberedScripts:
    """Implements ports.Scripts."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._of_account: dict[str, Script] = {}
        self._by_etag: dict[str, Script] = {}

    def held(self, account: str) -> Script | Unknown:
        return self._of_account.get(account, UNKNOWN)

    async def load(self, account: str) -> Script:
        active = await call(self._bus, ACTIVE_SCRIPT, ActiveScriptRequest(account=account))
        script = NO_SCRIPT
        if active.etag:
            script = self._by_etag.get(active.etag) or await self._compile(active.etag, active.text)
        if len(self._of_account) >= MAX_ACCOUNTS:
            del self._of_account[next(iter(self._of_account))]
        self._of_account[account] = script
        return script

    def forget(self, account: str) -> None:
        self._of_account.pop(account, None)

    async def _compile(self, etag: str, text: str) -> Script:
        try:
            if len(text) <= INLINE_BYTES:
                program = compile_script(text)
            else:
                program = await asyncio.to_thread(compile_script, text)
            script = Script(etag, program)
        except SieveSyntaxError as error:
            script = Script(etag, None, str(error))
        if len(self._by_etag) >= MAX_COMPILED:
            dropped = self._by_etag.pop(next(iter(self._by_etag)))
            # Accounts hold programs as well: those of the dropped one are asked for again.
            for account in [a for a, s in self._of_account.items() if s is dropped]:
                del self._of_account[account]
        self._by_etag[etag] = script
        return script
