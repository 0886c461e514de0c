"""Vega, Vega-Lite and Vega-Embed as one script, made once from what vl-convert carries, and kept in the user's cache."""

from __future__ import annotations

import contextlib
import functools
import gzip
import subprocess
import sys
import threading
import zlib
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from mvakit.cache import default_folder
from mvakit.errors import MissingPackageError, MvakitError
from mvakit.files import OutputError, written_aside

__all__ = ["vega_bundle"]

_SNIPPET: Final = "window.vegaEmbed = vegaEmbed;"
# Making it starts a JavaScript engine, which takes a hundred megabytes; a process of its own gives them back.
_PROGRAM: Final = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle(sys.argv[1]).encode())"
_TIMEOUT: Final = 120.0


_LOCK: Final = threading.Lock()


def vega_bundle() -> bytes:
    """Return the script, compressed by gzip; it sets ``window.vegaEmbed`` and asks the network for nothing.

    Raises
    ------
    MissingPackageError
        If vl-convert is not installed.
    MvakitError
        If it cannot make the script.
    """
    with _LOCK:
        return _bundle()


@functools.cache
def _bundle() -> bytes:
    place = _place()
    with contextlib.suppress(OSError, EOFError, zlib.error):
        packed = place.read_bytes()
        gzip.decompress(packed)
        return packed
    packed = gzip.compress(_made(), 9, mtime=0)
    # A cache that cannot be written to costs the next start some seconds, no more.
    with contextlib.suppress(OSError, OutputError), written_aside(place) as aside:
        aside.write_bytes(packed)
    return packed


def _place() -> Path:
    try:
        installed = version("vl-convert-python")
    except PackageNotFoundError:
        raise MissingPackageError("drawing in a browser", "vl-convert-python", "gui") from None
    return default_folder() / "gui" / f"vega-{installed}-{sha256(_SNIPPET.encode()).hexdigest()[:8]}.js.gz"


def _made() -> bytes:
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, a fixed program
            [sys.executable, "-c", _PROGRAM, _SNIPPET], capture_output=True, timeout=_TIMEOUT, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", b"") or b""
        reason = said.decode(errors="replace").strip().splitlines()
        raise MvakitError(
            f"vl-convert cannot make the script that draws in the browser: {reason[-1] if reason else error}"
        ) from error
    return done.stdout
