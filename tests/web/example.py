"""A service to try the web parts on, run as a process of its own."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
from litestar import Request, get, post

from enarx.errors import EnarxError, Reason, Unacceptable, Undetermined
from enarx.evidence.check import Check, Verdict
from enarx.web.answers import JSON, application, only
from enarx.web.guard import Guard
from enarx.web.limits import Limits
from enarx.web.metrics import Metrics
from enarx.web.serve import Settings, serve
from enarx.web.tls import TlsFiles

PAUSING = Path("pausing")
UNREADY = Path("unready")


class Body(msgspec.Struct, forbid_unknown_fields=True):
    text: str


@get("/hello")
async def hello() -> dict[str, str]:
    return {"hello": "world"}


@get("/who")
async def who(request: Request) -> dict[str, int]:
    der = request.scope["extensions"]["tls"]["client_cert_der"]
    return {"size": len(der or b"")}


@post("/echo", before_request=only(JSON), status_code=200)
async def echo(data: Body) -> Body:
    return data


@get("/refuse")
async def refuse() -> None:
    checks = (
        Check("VMPL", Verdict.PASSED, None, 0, 0, "somewhere"),
        Check("measurement", Verdict.FAILED, Reason.MEASUREMENT_NOT_ACCEPTED, b"\xab", "one listed", "policy"),
    )
    raise Unacceptable(Reason.MEASUREMENT_NOT_ACCEPTED, "measurement", hint="list it", checks=checks)


@get("/bug")
async def bug() -> None:
    raise RuntimeError("the secret is 42")


@get("/slow")
async def slow() -> str:
    await asyncio.sleep(60)
    return "late"


@get("/pause")
async def pause() -> str:
    PAUSING.touch()  # noqa: ASYNC240
    await asyncio.sleep(1)
    return "done"


async def ready() -> None:
    if UNREADY.exists():  # noqa: ASYNC240
        raise Undetermined(Reason.UNREACHABLE, "the database")


def make(limits: Limits) -> Guard:
    handlers = [hello, who, echo, refuse, bug, slow, pause]
    made = application(handlers, title="Example", description="An example.")
    return Guard(made, service="example", limits=limits, metrics=Metrics("example"), ready=ready)


def main() -> int:
    settings = msgspec.json.decode(sys.argv[1])
    limits = msgspec.convert(settings.pop("limits", {}), Limits)
    tls = {name: Path(path) for name, path in settings.pop("tls", {}).items()}
    files = TlsFiles(**tls) if tls else None
    try:
        return serve(lambda: make(limits), Settings(name="example", limits=limits, tls=files, **settings))
    except EnarxError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
