"""Load damaged weight files, within bounds, and tell what went wrong: ``python -m tests.property.fuzz_worker FIRST LAST``.

A line of JSON for each case that failed, and a line with its number before each case, so that whoever reads along knows in
which case this process hung or died. Every file has to end in a model whose response is finite, or in an error of ours.
"""

from __future__ import annotations

import json
import logging
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from types import FrameType

import numpy as np

from mvakit.errors import MvakitError
from mvakit.model import Model
from tests.property.damage import case, seeds

SECONDS = 1.0  # of the processor, whatever else the machine does
MORE_MEMORY = 256 << 20  # that one file may need at most
ADDRESS_SPACE = 2 << 30  # and what nobody gets beyond what is there at the start


class TooLong(BaseException):
    """A case took too long."""


class NotFinite(Exception):
    """A response is no number, and nobody said so."""


def interrupt(signum: int, frame: FrameType | None) -> None:
    raise TooLong


def load_and_respond(path: Path) -> None:
    model = Model.load(path)
    n_variables, n_spectators = len(model.variables), len(model.spectators)
    X = np.random.default_rng(1).normal(size=(5, n_variables)) * 2
    X[0] = 0
    spectators = np.random.default_rng(2).normal(size=(5, n_spectators))
    known = spectators if model.needs_spectators else None
    efficiency = 0.5 if model.method.capabilities.at_signal_efficiency else None
    response = model.predict(X, known, efficiency)
    if not np.isfinite(response).all():
        raise NotFinite(
            f"the response of {model.method.name} after {model.chain.suffix}: {response[~np.isfinite(response)][0]}"
        )
    if model.pdfs is not None and response.ndim == 1:
        for values in (model.probability(response), model.rarity(response)):
            if not np.isfinite(values).all():
                raise NotFinite(f"a probability or rarity of {model.method.name}")


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def origin(error: BaseException) -> str:
    """Where in mvakit an error comes from: ``"mvakit_methods.knn:read_state"``."""
    found = ""
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename).with_suffix("")
        for package in ("mvakit", "mvakit_methods"):
            if package in path.parts:
                inside = path.parts[path.parts.index(package, 1) :]
                found = f"{'.'.join(inside)}:{frame.name}"
    return found


def main(first: int, last: int) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def attempt(title: str, data: bytes, beside: dict[str, bytes]) -> None:
            path = folder / title
            path.write_bytes(data)
            for old in folder.glob("*.root"):
                old.unlink()
            for other, content in beside.items():
                (folder / other).write_bytes(content)
            load_and_respond(path)

        # What is imported and compiled once takes its time here.
        from xml.etree import ElementTree as ET

        for seed in seeds():
            try:
                attempt(seed.name, ET.tostring(seed.root), seed.beside)
            except Exception as error:  # noqa: BLE001 - whatever it is
                print(
                    json.dumps({"case": seed.name, "kind": "seed", "what": repr(error)[:300], "where": origin(error)})
                )
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + ADDRESS_SPACE, resource.RLIM_INFINITY))
        signal.signal(signal.SIGPROF, interrupt)
        print("ready", flush=True)
        for number in range(first, last):
            print(number, flush=True)
            title, data, beside = case(number)
            before, started = peak(), time.process_time()
            problem: dict[str, object] | None = None
            try:
                signal.setitimer(signal.ITIMER_PROF, SECONDS)
                attempt(title, data, beside)
            except MvakitError:
                pass
            except TooLong as error:
                problem = {"kind": "too long", "what": f"more than {SECONDS:g} s", "where": origin(error)}
            except Exception as error:  # noqa: BLE001 - whatever it is
                problem = {"kind": type(error).__name__, "what": str(error)[:200], "where": origin(error)}
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            took, more = time.process_time() - started, peak() - before
            if problem is None and took > SECONDS:
                problem = {"kind": "too long", "what": f"{took:.1f} s", "where": ""}
            if problem is None and more > MORE_MEMORY:
                problem = {"kind": "too much memory", "what": f"{more >> 20} MiB", "where": ""}
            if problem is not None:
                print(json.dumps({"case": number, "file": title, **problem}), flush=True)
    print("done", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
