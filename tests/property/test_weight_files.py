"""Damaged and hostile weight files: each ends in a model with finite responses or in an error of ours, soon and in little memory.

`damage` makes the files and `fuzz_worker` reads them, in a process of its own with a limit on memory: what hangs or kills it is
told from what fails. ``make fuzz`` tries 200 000 files, ``make test`` a few hundred.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import warnings
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mvakit.errors import MvakitError
from mvakit.model import Model
from tests.property.damage import case, seeds

EXPLORE = os.environ.get("HYPOTHESIS_PROFILE") == "explore"
CASES = 200_000 if EXPLORE else 600
WORKERS = (os.cpu_count() or 1) if EXPLORE else 1
TO_START, TO_ANSWER = 900, 20  # seconds; to start is to compile what no cache holds
MOST_DEATHS = 20

pytest.importorskip("resource", reason="memory is limited by what POSIX systems have")


def lines(stream: IO[str], into: queue.Queue[str | None]) -> None:
    for line in stream:
        into.put(line.strip())
    into.put(None)


def one_process(first: int, last: int) -> Iterator[dict[str, Any]]:
    """Yield what went wrong in a range of cases; the last one tells how far it came, if it did not come to the end."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *filter(None, sys.path)])}
    command = [sys.executable, "-m", "tests.property.fuzz_worker", str(first), str(last)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said: queue.Queue[str | None] = queue.Queue()
        complaints: queue.Queue[str | None] = queue.Queue()
        for stream, into in ((process.stdout, said), (process.stderr, complaints)):
            threading.Thread(target=lines, args=(stream, into), daemon=True).start()
        current: int | None = None
        while True:
            try:
                limit = TO_START if current is None else TO_ANSWER
                line = said.get(timeout=limit)
            except queue.Empty:
                process.kill()
                yield {
                    "case": current,
                    "kind": "hung",
                    "what": f"no answer in {limit} s",
                    "where": "",
                    "stopped": True,
                }
                return
            if line == "done":
                return
            if line is None:
                process.wait()
                last_words = [words for words in iter(complaints.get, None) if words][-5:]
                what = f"exit status {process.returncode}: {' '.join(last_words)[-500:]}"
                yield {"case": current, "kind": "died", "what": what, "where": "", "stopped": True}
                return
            if line.isdigit():
                current = int(line)
            elif line.startswith("{"):
                yield json.loads(line)


def problems(first: int, last: int) -> list[dict[str, Any]]:
    """Return what went wrong in a range of cases; where a process hangs or dies another one takes up."""
    found: list[dict[str, Any]] = []
    deaths = 0
    while first < last:
        stopped = False
        for problem in one_process(first, last):
            found.append(problem)
            if problem.get("stopped"):
                assert problem["case"] is not None, problem
                first, stopped, deaths = problem["case"] + 1, True, deaths + 1
        if not stopped or deaths > MOST_DEATHS:
            break
    return found


def test_every_kind_of_file_is_there():
    """The files that are damaged are whole to begin with; a method without one would not be tried."""
    names = {seed.root.get("Method", "").split("::")[0] for seed in seeds()}
    assert {"Fisher", "LD", "BDT"} <= names
    assert len(seeds()) >= 10


def test_a_case_is_always_the_same_file():
    assert case(7) == case(7)
    assert len({case(number)[1] for number in range(50)}) > 40


def test_damaged_files():
    share = -(-CASES // WORKERS)
    ranges = [(first, min(first + share, CASES)) for first in range(0, CASES, share)]
    with ThreadPoolExecutor(WORKERS) as pool:
        found = [problem for part in pool.map(lambda r: problems(*r), ranges) for problem in part]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for problem in found:
        groups[problem["where"], problem["kind"]].append(problem)
    told = "\n".join(
        f"{len(group)} x {kind} in {where or '?'}: {group[0]['what']} (case {', '.join(str(p['case']) for p in group[:5])})"
        for (where, kind), group in sorted(groups.items(), key=lambda item: -len(item[1]))
    )
    assert not found, f"{len(found)} of {CASES} files; `python -m tests.property.damage CASE` writes one\n{told}"


@pytest.fixture(scope="module", params=seeds(), ids=lambda seed: seed.name.removesuffix(".weights.xml"))
def whole(request, tmp_path_factory) -> Model:
    """The models of the whole files."""
    path = tmp_path_factory.mktemp("whole") / request.param.name
    for name, content in {path.name: ET.tostring(request.param.root), **request.param.beside}.items():
        path.with_name(name).write_bytes(content)
    return Model.load(path)


@pytest.mark.parametrize("value", [0.0, -1e5, 1e30, 3e38, np.inf, -np.inf])
def test_extreme_events(whole, value):
    """The response to finite values is finite, or else an error of ours says that it is not; infinite ones do no harm."""
    shape = (3, len(whole.variables))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            response = whole.predict(np.full(shape, value), np.zeros((3, len(whole.spectators))), 0.5)
        except MvakitError:
            return
    assert response.shape[0] == 3
    assert np.isfinite(response).all() or np.isinf(value)


def test_no_events(whole):
    some, none = (
        whole.predict(np.zeros((n, len(whole.variables))), np.zeros((n, len(whole.spectators))), 0.5) for n in (2, 0)
    )
    assert none.shape == (0, *some.shape[1:])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<MethodSetup/>",
        b'<MethodSetup Method="Fisher::F">' + b"<x>" * 5000,
        b'<!DOCTYPE x [<!ENTITY a "b">]><MethodSetup Method="Fisher::&a;"/>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><MethodSetup Method="Fisher::F"/>',
        b'<MethodSetup Method="Fisher::F" xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/></MethodSetup>',
    ],
)
def test_well_known_attacks(tmp_path, data):
    path = tmp_path / "Toy.weights.xml"
    path.write_bytes(data)
    with pytest.raises(MvakitError):
        Model.load(path)
