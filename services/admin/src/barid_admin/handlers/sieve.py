"""`/v1/accounts/{address}/sieve`: an account's filter scripts (RFC 5228)."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from barid_contracts.settle import (
    SIEVE_ACTIVATE,
    SIEVE_DELETE,
    SIEVE_LIST,
    SIEVE_PUT,
    ActiveScriptRequest,
    ScriptInfo,
    ScriptName,
    ScriptPut,
)

from .desk import Desk
from .problems import Refusal
from .shapes import AddressInPath, Body, says_no

SCRIPT_MOST = 512 * 1024
"""Characters: beyond what the engine compiles, so that it is the engine that says no."""

NameInPath = Annotated[str, Path(min_length=1, max_length=128, description="the script's name")]


class ScriptText(Body):
    """activate: make it the one that is run."""

    text: str = Field(max_length=SCRIPT_MOST, examples=['require "fileinto"; fileinto "Archive";'])
    activate: bool = True


class ActiveName(Body):
    name: str = Field(min_length=1, max_length=128)


class ScriptEntry(BaseModel):
    name: str
    active: bool


class Script(ScriptEntry):
    text: str


class Scripts(BaseModel):
    items: list[ScriptEntry]


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1/accounts/{address:segment}", tags=["sieve"])

    async def scripts(account: str) -> list[ScriptInfo]:
        return (await desk.ask(SIEVE_LIST, ActiveScriptRequest(account=account))).scripts

    async def find(account: str, name: str) -> Script | None:
        found = next((script for script in await scripts(account) if script.name == name), None)
        return None if found is None else Script(name=found.name, active=found.active, text=found.text)

    @router.get("/sieve", responses=says_no("not-found"))
    async def list_scripts(address: AddressInPath) -> Scripts:
        """List the account's scripts"""
        account = await desk.account(address)
        found = sorted(await scripts(account.id), key=lambda script: script.name)
        return Scripts(items=[ScriptEntry(name=script.name, active=script.active) for script in found])

    @router.get("/sieve/{name:segment}", responses=says_no("not-found"))
    async def get_script(address: AddressInPath, name: NameInPath) -> Script:
        """Get a script"""
        account = await desk.account(address)
        found = await find(account.id, name)
        if found is None:
            raise Refusal("not-found", f"{account.address} has no script {name}")
        return found

    @router.put(
        "/sieve/{name:segment}", responses={201: {"model": Script, "description": "Made"}, **says_no("not-found")}
    )
    async def put_script(address: AddressInPath, name: NameInPath, script: ScriptText, response: Response) -> Script:
        """Store a script; refused if it doesn't compile"""
        account = await desk.account(address)
        known = await find(account.id, name)
        put = ScriptPut(account=account.id, name=name, text=script.text, activate=script.activate)
        await desk.ask(SIEVE_PUT, put)
        response.status_code = 200 if known is not None else 201
        active = script.activate or (known is not None and known.active)
        return Script(name=name, active=active, text=script.text)

    @router.delete("/sieve/{name:segment}", status_code=204, responses=says_no("not-found", "conflict"))
    async def delete_script(address: AddressInPath, name: NameInPath) -> None:
        """Delete a script"""
        await desk.ask(SIEVE_DELETE, ScriptName(account=(await desk.account(address)).id, name=name))

    @router.put("/active-script", status_code=204, responses=says_no("not-found"))
    async def activate_script(address: AddressInPath, active: ActiveName) -> None:
        """Choose the script that is run"""
        await desk.ask(SIEVE_ACTIVATE, ScriptName(account=(await desk.account(address)).id, name=active.name))

    @router.delete("/active-script", status_code=204, responses=says_no("not-found"))
    async def deactivate_scripts(address: AddressInPath) -> None:
        """Run no script: all mail goes to the inbox"""
        await desk.ask(SIEVE_ACTIVATE, ScriptName(account=(await desk.account(address)).id, name=""))

    return router
