"""The control listener's pages of releases, below `/_headgate/releases`: what `headgate release` speaks to.

A release may run commands, and the control plane knows no users: a release that this server is to run may do so only
where the setting `release_commands` says it. A browser's page on another site is refused: it could otherwise start one.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec

from headgate.release.file import FileError, read_release
from headgate.release.service import VERBS, ReleaseError, ReleaseService, StartRequest

PREFIX: Final = "/_headgate/releases"
_PAGE: Final = re.compile(r"/_headgate/releases(?:/([^/]+)(?:/([a-z]+))?)?")

T = TypeVar("T")
Page = tuple[int, Any]


class _Start(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    text: str
    file_name: str = "release file"
    folder: str = ""
    region: str = "us-east-1"
    actor: str = ""
    account_id: str = ""
    artefacts: dict[str, str] = {}  # base64, by path


class _Told(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    actor: str = "somebody"
    reason: str = ""
    region: str | None = None


class ReleasePages:
    def __init__(
        self, service: ReleaseService, started: Callable[[], None], *, endpoint_url: str, commands: bool
    ) -> None:
        """`started` is called when there is something for the controller to do."""
        self._service = service
        self._started = started
        self._endpoint_url = endpoint_url
        self._commands = commands

    async def answer(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Page:
        """One request below PREFIX: status and JSON."""
        page = _PAGE.fullmatch(path)
        if page is None:
            return 404, {"message": f"{path} is not there; releases are at {PREFIX}/NAME"}
        name, what = unquote(page[1] or ""), page[2] or ""
        if method != "GET" and _is_foreign(headers):
            return 403, {"message": "a page of another site may not start or move releases"}
        try:
            return await self._answer(method, name, what, query, body)
        except ReleaseError as error:
            return error.status, {"message": str(error)}
        except msgspec.ValidationError as error:
            return 400, {"message": f"the request's JSON: {error}"}
        except (msgspec.DecodeError, binascii.Error, UnicodeDecodeError) as error:
            return 400, {"message": f"the request cannot be read: {error}"}

    async def _answer(self, method: str, name: str, what: str, query: str, body: bytes) -> Page:
        service = self._service
        match method, name, what:
            case "GET", "", "":
                return 200, {"releases": await _run(service.all)}
            case "POST", "", "":
                request = self._request(body)
                started = await _run(lambda: service.start(request))
                self._started()
                return 201, {"release": started}
            case "GET", _, "":
                return 200, await _run(lambda: service.show(name))
            case "GET", _, "events":
                return 200, {"events": await _run(lambda: service.history(name, _after(query)))}
            case "POST", _, "retry":
                told = msgspec.json.decode(body or b"{}", type=_Told)
                await _run(lambda: service.retry(name, told.actor))
                self._started()
                return 200, {"release": name}
            case "POST", _, _ if what in VERBS:
                told = msgspec.json.decode(body or b"{}", type=_Told)
                await _run(lambda: service.command(name, what, told.actor, told.reason, told.region))
                self._started()
                return 200, {"release": name}
            case _:
                known = f"GET {PREFIX}, GET {PREFIX}/NAME, GET …/events, POST …/{{{','.join(('retry', *VERBS))}}}"
                return 405, {"message": f"{method} {name}/{what} is not answered; known are {known}"}

    def _request(self, body: bytes) -> StartRequest:
        """Raises ReleaseError."""
        given = msgspec.json.decode(body, type=_Start)
        if not self._commands:
            _refuse_commands(given.text, given.file_name)
        return StartRequest(
            text=given.text,
            file_name=given.file_name,
            folder=given.folder,
            region=given.region,
            actor=given.actor,
            endpoint_url=self._endpoint_url,
            account_id=given.account_id,
            artefacts={path: base64.b64decode(each, validate=True) for path, each in given.artefacts.items()},
        )


def _refuse_commands(text: str, file_name: str) -> None:
    try:
        release = read_release(text, file_name)
    except FileError as error:
        raise ReleaseError(str(error)) from error
    gates = (*release.gates.before, *release.gates.step, *release.gates.after)
    migrate = release.migrate
    if any(gate.run for gate in gates) or migrate.expand or migrate.verify or migrate.contract:
        raise ReleaseError(
            f"{file_name}: it runs commands, and this server may not: run it by headgate release run, "
            "or start the server with release_commands = true",
            403,
        )


def _is_foreign(headers: Mapping[str, str]) -> bool:
    """A browser says where a page's request comes from; programs say neither."""
    return "origin" in headers or headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}


def _after(query: str) -> int:
    text = dict(parse_qsl(query)).get("after", "0")
    if not re.fullmatch(r"\d{1,15}", text):
        raise ReleaseError(f"after is {text!r}; give the number of the last event that you have")
    return int(text)


async def _run(act: Callable[[], T]) -> T:
    """On a thread: the state file's lock may be another process's for a while."""
    return await asyncio.to_thread(act)
