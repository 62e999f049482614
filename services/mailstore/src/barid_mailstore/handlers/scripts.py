"""Sieve scripts of the accounts."""

from barid_contracts.base import Empty
from barid_contracts.settle import (
    ACTIVE_SCRIPT,
    SIEVE_ACTIVATE,
    SIEVE_DELETE,
    SIEVE_LIST,
    SIEVE_PUT,
    ActiveScriptReply,
    ActiveScriptRequest,
    ScriptList,
    ScriptName,
    ScriptPut,
)

from ..ports.errors import Invalid
from ..ports.store import Store
from .serving import Serving
from .telling import Teller


class ScriptHandlers:
    def __init__(self, store: Store, teller: Teller) -> None:
        self._scripts = store.scripts
        self._teller = teller

    async def serve(self, serving: Serving) -> None:
        await serving.operation(ACTIVE_SCRIPT, self.active)
        await serving.operation(SIEVE_PUT, self.put)
        await serving.operation(SIEVE_LIST, self.list_all)
        await serving.operation(SIEVE_ACTIVATE, self.activate)
        await serving.operation(SIEVE_DELETE, self.delete)

    async def active(self, request: ActiveScriptRequest) -> ActiveScriptReply:
        return await self._scripts.active(request.account)

    async def put(self, request: ScriptPut) -> Empty:
        # Imported late: the engine is 70 ms of a start, and only whoever changes a script needs it.
        from barid_protocols.sieve.errors import SieveError
        from barid_protocols.sieve.program import compile_script

        try:
            compile_script(request.text)
        except SieveError as error:
            raise Invalid(str(error)) from error
        await self._teller.tell(
            await self._scripts.put(request.account, request.name, request.text, activate=request.activate)
        )
        return Empty()

    async def list_all(self, request: ActiveScriptRequest) -> ScriptList:
        return ScriptList(scripts=await self._scripts.list_all(request.account))

    async def activate(self, request: ScriptName) -> Empty:
        await self._teller.tell(await self._scripts.activate(request.account, request.name))
        return Empty()

    async def delete(self, request: ScriptName) -> Empty:
        await self._teller.tell(await self._scripts.delete(request.account, request.name))
        return Empty()
