"""The report of a study, served to a browser on this machine and to nobody else.

A report works from disk, too; serving it helps where a browser forbids files to read other files, or where the study is
on a machine that one reaches by forwarding a port. What keeps others out: it listens on 127.0.0.1 only; every address
begins with a random token; requests that were sent to another host name are refused, so that no web page can reach it
by a name of its own that it lets point here; and nothing but the report and its clips is read, nothing written.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler, StaticFileHandler

from cinecortex.errors import WrongUse

ADDRESS = "127.0.0.1"
REPORT, CLIPS = "report.html", "report-clips"
SERVED_FILES = (REPORT, "findings.json")
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the token is in the address
    "Server": "cinecortex",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
MOST_HEADER_BYTES = 16 * 1024


@dataclass(frozen=True)
class Door:
    """Who may come in.

    Attributes:
        token: First part of every address that is answered.
        hosts: Names, with the port, under which requests may be sent.
    """

    token: str
    hosts: frozenset[str]

    @staticmethod
    def new(port: int) -> Door:
        """A door with a token that nobody can guess."""
        return Door(secrets.token_urlsafe(32), frozenset({f"{ADDRESS}:{port}", f"localhost:{port}"}))

    def admits(self, host: str, token: str) -> bool:
        """Whether a request to this host with this token is answered; the time it takes tells nothing of the token."""
        return hmac.compare_digest(token.encode(), self.token.encode()) and host.lower() in self.hosts


class _Nothing(RequestHandler):
    """The answer to every address that is not served."""

    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        raise HTTPError(404)

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}\n")


class _Served(StaticFileHandler):
    """Files of one folder: the report, its findings, and what is in the folder of its clips."""

    set_default_headers = _Nothing.set_default_headers
    write_error = _Nothing.write_error

    def initialize(self, path: str, door: Door) -> None:  # type: ignore[override]
        super().initialize(path)
        self._door = door

    def prepare(self) -> None:
        if not self._door.admits(self.request.headers.get("Host", ""), self.path_args[0]):
            raise HTTPError(404)
        # The token has done its work; the rest is the file.
        self.path_args = [self.path_args[1] or REPORT]

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Also after links were followed, the file must be one of those that are served."""
        if not _is_served(Path(root), Path(absolute_path)):
            raise HTTPError(404)
        return super().validate_absolute_path(root, absolute_path)


def _is_served(root: Path, path: Path) -> bool:
    try:
        real = path.resolve(strict=True)
        inside = PurePosixPath(real.relative_to(root.resolve()).as_posix())
    except (OSError, ValueError, RuntimeError):
        return False
    listed = str(inside) in SERVED_FILES or inside.parts[:1] == (CLIPS,)
    return listed and real.is_file() and not any(part.startswith(".") for part in inside.parts)


def make_application(folder: Path, door: Door) -> Application:
    """What answers: files of the folder to whoever the door admits, and 404 to everything else."""
    return Application(
        [(r"/([^/]*)/(.*)", _Served, {"path": str(folder.resolve()), "door": door})],
        default_handler_class=_Nothing,
        log_function=lambda handler: None,  # the token is in every address
    )


def view(folder: Path, *, port: int = 0, ready: Callable[[str], None]) -> None:
    """Serve the report of a folder on 127.0.0.1 until the keyboard says stop.

    Args:
        folder: It holds ``report.html``; ``findings.json`` and ``report-clips`` beside it are served, too.
        port: 0 for any that is free.
        ready: Told the address as soon as it answers.

    Raises:
        WrongUse: there is no report, or the port is taken.
    """
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(folder, port=port, ready=ready))


async def serve(folder: Path, *, port: int = 0, ready: Callable[[str], None]) -> None:
    """Serve until cancelled; otherwise as `view`."""
    if not (folder / REPORT).is_file():
        raise WrongUse(f"{folder} has no {REPORT}; make it first: cinecortex report {folder} --out {folder / REPORT}.")
    try:
        listening = socket.create_server((ADDRESS, port))
    except OSError as error:
        raise WrongUse(f"port {port} cannot be used ({error.strerror}); leave out --port for a free one.") from error
    listening.setblocking(False)
    # What a stranger sends is nobody's error message.
    logging.getLogger("tornado").addHandler(logging.NullHandler())
    port = listening.getsockname()[1]
    door = Door.new(port)
    server = HTTPServer(make_application(folder, door), max_header_size=MOST_HEADER_BYTES, max_body_size=1)
    server.add_socket(listening)
    try:
        ready(f"http://{ADDRESS}:{port}/{door.token}/{REPORT}")
        await asyncio.Event().wait()
    finally:
        server.stop()
        await server.close_all_connections()
