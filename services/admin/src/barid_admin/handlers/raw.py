"""The bytes of messages, as clients see them."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse

from barid_contracts.mail import BodyRef
from barid_runtime.journal.port import BodyReader

RAW: dict[int | str, dict[str, Any]] = {
    200: {"content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}}}}
}
"""For a route's OpenAPI."""


async def raw(bodies: BodyReader, prefix: str, ref: BodyRef) -> StreamingResponse:
    """The bytes as clients see them: our lines, then the body."""
    head = prefix.encode("latin-1")
    body = bodies.stream(ref)
    # Read before the status is sent: a missing or corrupt body is a problem, not an answer that breaks off.
    first = await anext(body, b"")

    async def chunks() -> AsyncIterator[bytes]:
        yield head + first
        async for chunk in body:
            yield chunk

    return StreamingResponse(
        chunks(), media_type="message/rfc822", headers={"Content-Length": str(len(head) + ref.size)}
    )
