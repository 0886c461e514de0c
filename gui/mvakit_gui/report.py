"""The report: the page, its charts and the drawing library in one file, which opens from a disk without a network."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import re
import zlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Final

from mvakit.errors import MvakitError
from mvakit.files import OutputError, written_aside
from mvakit.progress import Tick, no_tick
from mvakit_gui.documents import Documents
from mvakit_gui.documents.encoding import encoded
from mvakit_gui.page import MODULES, page_file
from mvakit_gui.server.bundle import vega_bundle

__all__ = ["save_report"]

# Documents are packed together up to this size, so that what they share is stored once and little is unpacked at a time.
_CHUNK_BYTES: Final = 1_500_000
_IMPORT: Final = re.compile(r'^import \{[^}]*\} from "\./[a-z]+\.js";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export ", re.MULTILINE)


def save_report(
    files: Sequence[str | os.PathLike[str]],
    path: str | os.PathLike[str],
    dataset: str | None = None,
    *,
    tick: Tick = no_tick,
) -> Path:
    """Write everything that result files can show into one HTML file.

    Of a view with many pages, as the trees of a forest, the first is in it.

    Parameters
    ----------
    files : sequence of path-like
        Result files, TMVA's own or mvakit's. Several are laid over each other.
    path : path-like
        The file to write.
    dataset : str, optional
        The dataset to begin with, where there are several.
    tick : Tick
        Moves a progress bar.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ResultFileError
        If a file is missing, damaged or no result file, or none has such a dataset.
    OutputError
        If the report cannot be written.
    """
    target = Path(path)
    documents = Documents(files, dataset)
    with contextlib.closing(documents):
        title = ", ".join(documents.labels)
        places, chunks = _packed(documents, tick)
    page = _page(title, places, chunks)
    try:
        with written_aside(target) as aside:
            aside.write_bytes(page)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"the report {str(target)!r} cannot be written: {error.strerror}") from None
    return target


def _packed(documents: Documents, tick: Tick) -> tuple[dict[str, int], list[str]]:
    """Return the number of each document's chunk, and the chunks."""
    places: dict[str, int] = {}
    chunks: list[str] = []
    waiting: list[tuple[str, bytes]] = []

    def close_chunk() -> None:
        joined = b",".join(encoded(name) + b":" + document for name, document in waiting)
        chunks.append(base64.b64encode(zlib.compress(b"{" + joined + b"}", 9)).decode("ascii"))
        waiting.clear()

    paths = list(documents.paths())
    for done, name in enumerate(paths):
        tick(done, len(paths), name)
        try:
            document = documents.read(name)
        except MvakitError as error:
            document = encoded({"error": str(error)})
        if document is None:
            continue
        places[name] = len(chunks)
        waiting.append((name, document))
        if sum(len(one) for _, one in waiting) > _CHUNK_BYTES:
            close_chunk()
    if waiting:
        close_chunk()
    tick(len(paths), len(paths))
    return places, chunks


def _script() -> str:
    """Return the page's modules as one script; each finds what it imports above it."""
    parts = [_EXPORT.sub("", _IMPORT.sub("", page_file(name).decode())) for name in MODULES]
    return "\n".join(parts)


def _page(title: str, places: dict[str, int], chunks: Sequence[str]) -> bytes:
    script, style = _script(), page_file("style.css").decode()
    policy = (
        f"default-src 'none'; script-src {_hash(script)} blob:; style-src {_hash(style)}; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    replaced = {
        '<meta charset="utf-8">': f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">',
        "<title>mvakit</title>": f"<title>{escape(title)}</title>",
        '<link rel="stylesheet" href="style.css">': f"<style>{style}</style>",
        '<script type="module" src="main.js"></script>': "\n".join([
            *_data(places, chunks), f'<script type="module">{script}</script>',
        ]),
    }  # fmt: skip
    page = page_file("index.html").decode()
    for old, new in replaced.items():
        assert page.count(old) == 1, old
        page = page.replace(old, new)
    return page.encode()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


def _data(places: dict[str, int], chunks: Sequence[str]) -> Iterator[str]:
    """Yield the elements that hold the data; none of their text can end them early."""
    listed = json.dumps(places, separators=(",", ":")).replace("<", "\\u003c")
    yield f'<script type="application/json" id="mvakit-places">{listed}</script>'
    vega = base64.b64encode(zlib.compress(gzip.decompress(vega_bundle()), 9)).decode("ascii")
    yield f'<script type="text/plain" id="mvakit-vega">{vega}</script>'
    for number, chunk in enumerate(chunks):
        yield f'<script type="text/plain" id="mvakit-chunk-{number}">{chunk}</script>'
