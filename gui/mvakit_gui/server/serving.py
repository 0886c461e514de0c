"""Starting and stopping the server, at a terminal and in a notebook."""

from __future__ import annotations

import contextlib
import getpass
import os
import secrets
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mvakit.errors import MissingPackageError, MvakitError, OptionError
from mvakit_gui.documents import Documents

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    import uvicorn

__all__ = ["Gui", "TMVAGui", "serve_gui"]

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
_HOST: Final = "127.0.0.1"
_PATIENCE: Final = 10.0
_HEIGHT: Final = 800


class Gui:
    """A running server for one or more result files.

    Parameters
    ----------
    files : path-like or sequence of path-like
        Result files, TMVA's own or mvakit's. Several are laid over each other.
    dataset : str, optional
        The dataset to begin with, where there are several.
    port : int, optional
        A free one unless given.
    framed : bool
        Whether a notebook's page may show it in a frame.

    Raises
    ------
    ResultFileError
        If a file is missing, damaged or no result file.
    OptionError
        If the port cannot be listened on.
    """

    def __init__(
        self, files: Paths, dataset: str | None = None, *, port: int | None = None, framed: bool = False
    ) -> None:
        if isinstance(files, str | os.PathLike):
            files = [files]
        self.documents = Documents([Path(file) for file in files], dataset)
        try:
            self._socket = _listening(port)
        except MvakitError:
            self.documents.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self.token = secrets.token_urlsafe(24)
        self._server = _server(self.documents, self.token, framed=framed)
        self._thread: threading.Thread | None = None
        threading.Thread(target=_make_ready, args=[self.documents], daemon=True).start()

    @property
    def url(self) -> str:
        """The address on this machine, token included."""
        return f"http://{_HOST}:{self.port}/?token={self.token}"

    @property
    def tunnel(self) -> str:
        """The command that brings the address to another machine."""
        return f"ssh -L {self.port}:{_HOST}:{self.port} {_user()}@{socket.gethostname()}"

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until Ctrl-C; `ready` is called once requests are answered."""
        watch = threading.Thread(target=self._tell, args=[ready], daemon=True)
        watch.start()
        # The server has ended all by itself, in good order, when it hands the interrupt on.
        with contextlib.suppress(KeyboardInterrupt), contextlib.closing(self):
            self._server.run(sockets=[self._socket])

    def start(self) -> Self:
        """Serve from a thread, so that a notebook goes on.

        Raises
        ------
        MvakitError
            If the server does not come up.
        """
        self._thread = threading.Thread(target=self._server.run, args=[[self._socket]], daemon=True)
        self._thread.start()
        if not self._came_up():
            self.close()
            raise MvakitError(f"the server on port {self.port} did not start")
        return self

    def close(self) -> None:
        """End the server and close the files."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        self._socket.close()
        self.documents.close()

    def _came_up(self) -> bool:
        end = time.monotonic() + _PATIENCE
        while not self._server.started and not self._server.should_exit and time.monotonic() < end:
            time.sleep(0.01)
        return self._server.started

    def _tell(self, ready: Callable[[], None]) -> None:
        if self._came_up():
            ready()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Gui({self.url})"

    @property
    def frame_url(self) -> str:
        """The address for a frame in a notebook: through jupyter-server-proxy where that is installed."""
        base = _jupyter_base()
        return self.url if base is None else f"{base}proxy/{self.port}/?token={self.token}"

    def _repr_html_(self) -> str:
        return (
            f'<iframe src="{escape(self.frame_url)}" width="100%" height="{_HEIGHT}" title="mvakit" '
            'style="border: 1px solid #8888"></iframe>'
        )


def _server(documents: Documents, token: str, *, framed: bool) -> uvicorn.Server:
    try:
        import uvicorn

        from mvakit_gui.server.app import make_app
    except ImportError as error:
        raise MissingPackageError("the GUI", error.name or "starlette", "gui") from error
    config = uvicorn.Config(
        make_app(documents, token, framed=framed),
        log_level="error",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    return uvicorn.Server(config)


def _make_ready(documents: Documents) -> None:
    """Have what the first page asks for at hand before it does, and tell of a problem only then."""
    documents.prepare()
    with contextlib.suppress(MvakitError, ImportError):
        from mvakit_gui.server.bundle import vega_bundle

        vega_bundle()


def _listening(port: int | None) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HOST, port or 0))
        listener.listen(64)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else error
        raise OptionError(f"port {port} cannot be listened on: {reason}; without one, a free port is taken") from None
    return listener


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "user"


def _jupyter_base() -> str | None:
    """Return the path below which jupyter-server-proxy is reached, or None where there is none."""
    if find_spec("jupyter_server_proxy") is None:
        return None
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    if prefix:
        return prefix
    with contextlib.suppress(ImportError, OSError, ValueError):
        from jupyter_server.serverapp import list_running_servers

        parent = os.environ.get("JPY_PARENT_PID", "")
        for server in list_running_servers():
            if str(server.get("pid")) == parent:
                return str(server["base_url"])
    return None


def _in_interpreter() -> bool:
    """Whether somebody types, at a prompt or in a notebook."""
    shell = sys.modules.get("IPython")
    return hasattr(sys, "ps1") or (shell is not None and shell.get_ipython() is not None)


def _has_screen() -> bool:
    if sys.platform in {"win32", "darwin"}:
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def serve_gui(
    files: Paths,
    dataset: str | None = None,
    *,
    port: int | None = None,
    browser: bool = True,
    say: Callable[[str], Any] = print,
) -> None:
    """Serve result files until Ctrl-C, and open a browser where there is a screen; see `Gui`.

    Parameters
    ----------
    files, dataset, port
        As for `Gui`.
    browser : bool
        Whether to open a browser.
    say : callable
        Is told the address.
    """
    gui = Gui(files, dataset, port=port)
    say(gui.url)
    say(f"From another machine first: {gui.tunnel}")
    say("Ctrl-C ends it.")

    def ready() -> None:
        if browser and _has_screen():
            webbrowser.open(gui.url)

    gui.run(ready)


def TMVAGui(files: Paths = "TMVA.root", dataset: str | None = None, *, port: int | None = None) -> Gui | None:
    """Open the GUI for a result file, as TMVA's ``TMVAGui`` does.

    Parameters
    ----------
    files : path-like or sequence of path-like
        A ``TMVA.root``, or several to lay over each other.
    dataset : str, optional
        The dataset to begin with, where there are several.
    port : int, optional
        A free one unless given.

    Returns
    -------
    Gui or None
        In a notebook or at a prompt the running server, which a notebook shows as a frame and ``close()`` ends. A
        script waits here until Ctrl-C; one without a terminal says how to open the GUI and goes on.

    Raises
    ------
    ResultFileError
        If a file is missing, damaged or no result file.
    """
    if _in_interpreter():
        return Gui(files, dataset, port=port, framed=True).start()
    if sys.stdin is not None and sys.stdin.isatty():
        serve_gui(files, dataset, port=port)
    else:
        listed = [files] if isinstance(files, str | os.PathLike) else files
        print("The GUI opens with: mvakit gui", *(os.fspath(file) for file in listed))
    return None
