"""Where addresses lead."""

from barid_contracts.directory import ExplainReply, ExplainRequest, Resolution, ResolveReply, ResolveRequest
from barid_runtime.bus.port import OperationFailed

from ..policy.addresses import canonical
from ..policy.resolution import explain, resolve
from ..ports import Book, Store

MAX_BATCH = 1_000
"""Addresses of one request: it is answered in one go on the loop, 20 µs each."""


class Resolutions:
    def __init__(self, store: Store, postmaster: str) -> None:
        self._store = store
        self._postmaster = canonical(postmaster) or ""

    async def resolve(self, request: ResolveRequest) -> ResolveReply:
        if len(request.addresses) > MAX_BATCH:
            raise OperationFailed("invalid", f"at most {MAX_BATCH} addresses at once")

        def resolve_all(book: Book) -> list[Resolution]:
            return [resolve(book, address, postmaster=self._postmaster) for address in request.addresses]

        return ResolveReply(resolutions=await self._store.consult(resolve_all))

    async def explain(self, request: ExplainRequest) -> ExplainReply:
        steps, resolution = await self._store.consult(
            lambda book: explain(book, request.address, postmaster=self._postmaster)
        )
        return ExplainReply(steps=steps, resolution=resolution)
