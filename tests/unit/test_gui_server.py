"""The browser application's server: who may ask, for what, and what is told to whom."""

from __future__ import annotations

import gzip
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator, Mapping
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from mvakit_gui.page import MODULES, page_file
from mvakit_gui.server import Gui, TMVAGui, bundle, make_app, serving, vega_bundle

from mvakit.errors import MvakitError, OptionError, ResultFileError
from tests.asking import Asking, ask

TOKEN = "right-token"
SECRET = b'{"secret":1}'


class Documents:
    """Stands for result files."""

    asked: list[tuple[str, dict[str, str]]]

    def __init__(self) -> None:
        self.asked = []

    def read(self, path: str, query: Mapping[str, str]) -> bytes | None:
        self.asked.append((path, dict(query)))
        if path == "damaged.json":
            raise ResultFileError("'x' cannot be read")
        return SECRET if path == "index.json" else None


@pytest.fixture
def documents() -> Documents:
    return Documents()


def client(documents: Documents, host: str = "127.0.0.1:8080", *, framed: bool = False, **headers: str) -> Asking:
    return Asking(make_app(documents, TOKEN, framed=framed), host, **headers)


def test_nothing_is_told_without_the_token(documents: Documents) -> None:
    asking = client(documents)
    for path in ("/", "/data/index.json", "/data/none.json", "/nothing", "/data/../data/index.json"):
        for query in ("", "?token=", "?token=wrong", f"?token={TOKEN}x", f"?token={TOKEN[:-1]}", "?token=ä"):
            answer = asking.get(path + query)
            assert answer.status == 403, (path, query)
            assert b"token" in answer.content
            assert "set-cookie" not in answer.headers
    assert documents.asked == []


def test_the_token_opens_in_the_address_in_a_header_and_as_the_cookie_it_sets(documents: Documents) -> None:
    assert client(documents).get(f"/data/index.json?token={TOKEN}").content == SECRET
    assert client(documents).get("/data/index.json", x_mvakit_token=TOKEN).content == SECRET
    first = client(documents).get(f"/?token={TOKEN}")
    assert first.status == 200
    cookie = first.headers["set-cookie"]
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert "path=" not in cookie.lower(), "a path would be wrong behind a proxy"
    assert client(documents).get("/data/index.json", cookie=cookie.partition(";")[0]).content == SECRET
    for wrong in ("mvakit_000000000000=" + TOKEN, cookie.partition("=")[0] + "=wrong", "=;;,\x7f"):
        assert client(documents).get("/data/index.json", cookie=wrong).status == 403


def test_a_page_of_another_name_that_points_here_has_no_use_of_the_cookie(documents: Documents) -> None:
    jar = SimpleCookie(client(documents).get(f"/?token={TOKEN}").headers["set-cookie"])
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())
    for host, status in (
        ("localhost:9", 200), ("127.0.0.1", 200), ("127.8.8.8:1", 200), ("[::1]:80", 200), ("evil.example", 403),
        ("localhost.evil.example", 403), ("127.0.0.1.evil.example", 403), ("hub.example:8000", 403),
    ):  # fmt: skip
        answer = client(documents).get("/data/index.json", host=host, cookie=cookie)
        assert answer.status == status, host
    behind_a_proxy = client(documents, "hub.example").get("/data/index.json", x_mvakit_token=TOKEN)
    assert behind_a_proxy.content == SECRET


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_the_server_only_reads(documents: Documents, method: str) -> None:
    answer = client(documents).get(f"/data/index.json?token={TOKEN}", method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert documents.asked == []


@pytest.mark.parametrize(
    "path",
    [
        "/..%2f..%2fetc%2fpasswd", "/%2e%2e/server/app.py", "/index.html", "/__init__.py", "/main.js/", "/main.js%00.css",
        "/data/..%2f..%2fpyproject.toml", "//etc/passwd", "/style.css%2f..%2fmain.js", "/C:%5Cwindows",
    ],
)  # fmt: skip
def test_tricks_in_a_path_find_nothing(documents: Documents, path: str) -> None:
    asking = client(documents, x_mvakit_token=TOKEN)
    answer = asking.get(path)
    assert answer.status == 404
    assert answer.json() == {"error": "there is nothing of this name here"}


def test_every_answer_binds_the_browser_to_this_address(documents: Documents) -> None:
    asking = client(documents)
    for path in ("/", f"/?token={TOKEN}", "/main.js", "/nothing", f"/data/index.json?token={TOKEN}"):
        headers = asking.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert policy.endswith("frame-ancestors 'self'")
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
    assert asking.get(f"/data/index.json?token={TOKEN}").headers["cache-control"] == "no-store"
    assert client(documents, framed=True).get("/").headers["content-security-policy"].endswith("frame-ancestors *")


def test_what_cannot_be_read_is_told_in_a_sentence(documents: Documents) -> None:
    asking = client(documents, x_mvakit_token=TOKEN)
    answer = asking.get("/data/damaged.json")
    assert (answer.status, answer.json()) == (422, {"error": "'x' cannot be read"})
    assert asking.get("/data/none.json").status == 404
    assert asking.get("/data/index.json?cut=1").status == 200
    assert documents.asked[-1] == ("index.json", {"cut": "1"})


def test_the_pages_files_are_kept_by_the_browser_and_asked_for_by_their_tag(documents: Documents) -> None:
    asking = client(documents)
    for name in ("style.css", *MODULES):
        answer = asking.get(f"/{name}")
        assert answer.content == page_file(name)
        assert answer.headers["content-type"].startswith("text/css" if name.endswith("css") else "text/javascript")
        again = asking.get(f"/{name}", if_none_match=answer.headers["etag"])
        assert (again.status, again.content) == (304, b"")


def test_the_page_names_nothing_outside_and_nothing_from_the_root(documents: Documents) -> None:
    texts = {name: page_file(name).decode() for name in ("index.html", "style.css", *MODULES)}
    for name, text in texts.items():
        addresses = re.findall(r"https?://[^\s\"']+", text)
        assert all(address.startswith("https://vega.github.io/schema/") for address in addresses), name
        assert "innerHTML" not in text
        assert "insertAdjacentHTML" not in text
        assert not re.search(r"\beval\b|new Function", text), name
    assert re.findall(r'(?:src|href)="([^"#]*)"', texts["index.html"]) == ["data:,", "style.css", "main.js"]


def test_vega_is_made_once_and_kept(documents: Documents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "default_folder", lambda: tmp_path)
    bundle._bundle.cache_clear()
    made = []
    monkeypatch.setattr(bundle, "_made", lambda: made.append(1) or b"window.vegaEmbed = 1;")
    try:
        packed = vega_bundle()
        assert gzip.decompress(packed) == b"window.vegaEmbed = 1;"
        bundle._bundle.cache_clear()
        assert vega_bundle() == packed
        assert made == [1]
        (kept,) = (tmp_path / "gui").iterdir()
        kept.write_bytes(packed[:-6])
        bundle._bundle.cache_clear()
        assert vega_bundle() == packed
        assert made == [1, 1], "a damaged one is made anew"
        assert kept.read_bytes() == packed
        for encodings, encoded in (("gzip", "gzip"), ("identity", None)):
            answer = client(documents).get("/vega.js", accept_encoding=encodings)
            assert answer.content == b"window.vegaEmbed = 1;"
            assert answer.headers.get("content-encoding") == encoded
    finally:
        bundle._bundle.cache_clear()


def test_a_bundle_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_PROGRAM", "raise SystemExit('no engine')")
    with pytest.raises(MvakitError, match="no engine"):
        bundle._made()


@pytest.fixture(scope="module")
def result(reference: Path) -> Path:
    return reference / "toy" / "cat" / "TMVA.root"


@pytest.fixture(scope="module")
def gui(result: Path) -> Iterator[Gui]:
    with Gui(result) as running:
        yield running


def test_a_server_answers_on_loopback_alone_and_ends(result: Path) -> None:
    with Gui(result) as running:
        assert running.url == f"http://127.0.0.1:{running.port}/?token={running.token}"
        assert running.tunnel.startswith(f"ssh -L {running.port}:127.0.0.1:{running.port} ")
        assert ask(running.url).status == 200
        assert running._socket.getsockname()[0] == "127.0.0.1"
    with pytest.raises(urllib.error.URLError):
        ask(running.url)
    with Gui(result) as another:
        assert another.token != running.token
        assert len(another.token) >= 32


def test_a_port_is_taken_or_refused_in_a_sentence(gui: Gui, result: Path) -> None:
    with pytest.raises(OptionError, match=f"port {gui.port} cannot be listened on"):
        Gui(result, port=gui.port)
    with pytest.raises(OptionError, match="port 99999"):
        Gui(result, port=99999)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = Gui(result, port=port)
    assert running.port == port
    running.close()


def test_a_server_that_does_not_come_up_is_told(result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Gui(result)
    monkeypatch.setattr(running, "_came_up", lambda: False)
    with pytest.raises(MvakitError, match="did not start"):
        running.start()


def test_the_command_serves_until_ctrl_c(result: Path) -> None:
    command = [sys.executable, "-m", "mvakit.cli", "gui", str(result), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            url = running.stdout.readline().strip()
            assert "ssh -L" in running.stdout.readline()
            end = time.monotonic() + 20
            while time.monotonic() < end:
                try:
                    assert ask(url).status == 200
                    break
                except urllib.error.URLError:
                    time.sleep(0.05)
            running.send_signal(signal.SIGINT)
            out, errors = running.communicate(timeout=20)
        finally:
            running.kill()
    assert running.returncode == 0
    assert errors == ""
    assert "Traceback" not in out


def test_a_notebook_shows_a_frame_and_a_script_says_how(
    result: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(sys, "ps1", raising=False)
    monkeypatch.setattr(serving, "_in_interpreter", lambda: False)
    assert TMVAGui(result) is None
    assert f"mvakit gui {result}" in capsys.readouterr().out
    monkeypatch.setattr(serving, "_in_interpreter", lambda: True)
    running = TMVAGui(result)
    assert running is not None
    try:
        monkeypatch.setattr(serving, "find_spec", lambda name: None)
        assert running.frame_url == running.url
        html = running._repr_html_()
        assert f'src="{running.url}"' in html
        monkeypatch.setattr(serving, "find_spec", lambda name: object())
        monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/me/")
        assert running.frame_url == f"/user/me/proxy/{running.port}/?token={running.token}"
        assert "frame-ancestors *" in ask(running.url).headers["content-security-policy"]
    finally:
        running.close()


def test_tmva_gui_is_where_scripts_look_for_it() -> None:
    import mvakit
    from mvakit.compat.ROOT import TMVA

    assert mvakit.TMVAGui is TMVA.TMVAGui
    script = (
        "import sys, mvakit; mvakit.TMVAGui; print([m for m in sys.modules if m.startswith(('mvakit_gui', 'numpy'))])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


@pytest.mark.parametrize("damage", ["missing", "text", "empty", "truncated", "other"])
def test_a_file_that_is_no_result_file_is_refused_in_a_sentence(
    result: Path, toy: Path, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "TMVA.root"
    if damage == "other":
        path = toy / "toy_classification.root"
    elif damage != "missing":
        path.write_bytes({"text": b"<b>no</b>", "empty": b"", "truncated": result.read_bytes()[:200_000]}[damage])
    with pytest.raises(ResultFileError):
        Gui(path)
    from click.testing import CliRunner

    from mvakit.cli import main

    for command in (["gui", str(path), "--no-browser"], ["report", str(path), "-o", str(tmp_path / "report.html")]):
        said = CliRunner().invoke(main, command)
        assert said.exit_code == 1
        assert said.output.startswith("mvakit: ")
        assert len(said.output.strip().splitlines()) == 1
    assert not (tmp_path / "report.html").exists()
