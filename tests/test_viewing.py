"""`cinecortex view`, asked by real requests: by those it is for, and by everybody else."""

from __future__ import annotations

import asyncio
import http.client
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from cinecortex.errors import WrongUse
from cinecortex.viewing import ADDRESS, serve, view

PAGE, CLIP, SECRET = b"<!doctype html><title>report</title>", b"window.clip = 1;", b"a response of the recording"


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    folder: Path
    port: int
    token: str

    def ask(
        self, path: str, *, method: str = "GET", host: str | None = None, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """One request whose path goes out as it is written here."""
        connection = http.client.HTTPConnection(ADDRESS, self.port, timeout=20)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in ({"Host": host or f"{ADDRESS}:{self.port}"} | headers).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body, {name.lower(): value for name, value in answer.getheaders()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("study") / "out"
    (folder / "report-clips/more").mkdir(parents=True)
    (folder / "answers").mkdir()
    (folder / "report.html").write_bytes(PAGE)
    (folder / "findings.json").write_bytes(b"{}")
    (folder / "report-clips/clip 1.js").write_bytes(CLIP)
    (folder / "report-clips/more/2.js").write_bytes(CLIP)
    for secret in ("answers/one.json", "report-clips/.hidden", "../outside.txt", "study.json", "report.html.bak"):
        (folder / secret).write_bytes(SECRET)
    (folder.parent / "outside").mkdir()
    (folder.parent / "outside/file.js").write_bytes(SECRET)
    (folder / "report-clips/link.js").symlink_to(folder.parent / "outside.txt")
    (folder / "report-clips/inner.js").symlink_to(folder / "answers/one.json")
    (folder / "report-clips/folder").symlink_to(folder.parent / "outside", target_is_directory=True)
    os.mkfifo(folder / "report-clips/pipe")
    told: queue.Queue[str] = queue.Queue()
    loop = asyncio.new_event_loop()
    running = loop.create_task(serve(folder, ready=told.put))
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([running])))
    thread.start()
    address = urlsplit(told.get(timeout=30))
    assert address.hostname == ADDRESS
    yield Server(folder, address.port, address.path.split("/")[1])
    loop.call_soon_threadsafe(running.cancel)
    thread.join(30)
    loop.close()


def test_the_report_its_findings_and_its_clips_are_served(server):
    for path, body in (
        ("report.html", PAGE),
        ("", PAGE),
        ("findings.json", b"{}"),
        ("report-clips/clip%201.js", CLIP),
        ("report-clips/more/2.js", CLIP),
    ):
        status, found, headers = server.ask(f"/{server.token}/{path}")
        assert (status, found) == (200, body), path
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
        assert server.ask(f"/{server.token}/{path}", method="HEAD")[:2] == (200, b"")
    assert server.ask(f"/{server.token}/report.html", host=f"localhost:{server.port}")[0] == 200
    assert server.ask(f"/{server.token}/report.html", Range="bytes=0-3")[:2] == (206, PAGE[:4])


def test_a_token_is_needed_and_is_long(server):
    assert len(server.token) >= 43, "32 bytes"
    for token in ("", "x", server.token[:-1], server.token + "x", server.token.swapcase(), "%00", "%C3%A4", ".."):
        status, body, _ = server.ask(f"/{token}/report.html")
        assert (status, body) == (404, b"404\n"), token
    for path in ("/", "/report.html", f"/{server.token}", f"//{server.token}/report.html", f"/?{server.token}"):
        assert server.ask(path)[0] == 404, path


@pytest.mark.parametrize(
    "path",
    [
        *(
            "../outside.txt",
            "..%2foutside.txt",
            "%2e%2e/outside.txt",
            "report-clips/../../outside.txt",
            "....//outside.txt",
        ),
        *(
            "..%252foutside.txt",
            "..\\outside.txt",
            "%2e%2e%5coutside.txt",
            "/etc/passwd",
            "//etc/passwd",
            "%2fetc%2fpasswd",
        ),
        *("report-clips/link.js", "report-clips/folder/file.js", "report-clips/inner.js", "report-clips/pipe"),
        *("answers/one.json", "report-clips/../answers/one.json", "study.json", "report.html.bak"),
        *("report-clips", "report-clips/", "report-clips/.hidden", "report-clips/no.js", "report.html%00", "%ff", "."),
    ],
)
def test_nothing_else_is_reachable(server, path):
    status, body, _ = server.ask(f"/{server.token}/{path}")
    assert status in (400, 403, 404), path
    assert SECRET not in body
    assert b"root:" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_nothing_can_be_done_but_read(server, method):
    status, body, _ = server.ask(f"/{server.token}/report.html", method=method, **{"Content-Length": "0"})
    assert status in (404, 405)
    assert PAGE not in body
    assert (server.folder / "report.html").read_bytes() == PAGE


def test_a_body_is_not_read(server):
    with socket.create_connection((ADDRESS, server.port), timeout=20) as connection:
        head = (f"POST /{server.token}/report.html HTTP/1.1", f"Host: {ADDRESS}:{server.port}", "Content-Length: 9999")
        connection.sendall("\r\n".join((*head, "", "")).encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 4")
    assert server.ask(f"/{server.token}/report.html")[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", "@"]
)
def test_a_request_to_another_name_is_refused(server, host):
    status, body, _ = server.ask(f"/{server.token}/report.html", host=host.format(port=server.port))
    assert status in (400, 404)
    assert PAGE not in body


def test_it_listens_on_no_other_interface(server):
    mine = [one for one in psutil.Process().net_connections("inet") if one.status == psutil.CONN_LISTEN]
    assert {one.laddr.ip for one in mine if one.laddr.port == server.port} == {ADDRESS}
    addresses = {one.address for each in psutil.net_if_addrs().values() for one in each if one.family == socket.AF_INET}
    for address in (addresses | {"127.0.0.2"}) - {ADDRESS}:
        with pytest.raises(OSError), socket.create_connection((address, server.port), timeout=5):  # noqa: PT011
            pass


def test_every_run_has_a_token_of_its_own(server):
    told: list[str] = []

    async def briefly() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(serve(server.folder, ready=told.append), 0.2)

    asyncio.run(briefly())
    asyncio.run(briefly())
    tokens = {urlsplit(address).path.split("/")[1] for address in told} | {server.token}
    assert len(tokens) == 3


def test_what_it_refuses(server, tmp_path):
    with pytest.raises(WrongUse, match=rf"{tmp_path} has no report\.html; make it first: cinecortex report"):
        view(tmp_path, ready=print)
    with pytest.raises(WrongUse, match=f"port {server.port} cannot be used"):
        view(server.folder, port=server.port, ready=print)


def test_the_keyboard_ends_it_and_that_is_no_error(server):
    process = subprocess.Popen(
        [sys.executable, "-m", "cinecortex.cli", "view", str(server.folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line.startswith(f"The report is at http://{ADDRESS}:")
        address = urlsplit(line.split()[-1])
        other = Server(server.folder, address.port, address.path.split("/")[1])
        assert other.ask(address.path)[:2] == (200, PAGE)
        assert other.ask(f"/{server.token}/report.html")[0] == 404
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, err) == (0, "")
