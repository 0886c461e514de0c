"""The report: one file with everything in it."""

from __future__ import annotations

import base64
import json
import re
import zlib
from hashlib import sha256
from pathlib import Path

import pytest
from mvakit_gui import report
from mvakit_gui.documents import Documents
from mvakit_gui.page import MODULES, page_file
from mvakit_gui.report import save_report

from mvakit.files import OutputError


@pytest.fixture(scope="module")
def page(reference: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        # Making all charts is the business of the browser's tests.
        documents = Documents([reference / "toy" / "cat" / "TMVA.root"])
        kept = [name for name in documents.paths() if "/view/" not in name] + ["d/0/view/rejBvsS.json"]
        documents.close()
        patch.setattr(Documents, "paths", lambda self: iter(kept))
        ticks: list[float] = []
        assert (
            save_report([reference / "toy" / "cat" / "TMVA.root"], path, tick=lambda *told: ticks.append(told[0]))
            == path
        )
        assert ticks == sorted(ticks)
    return path.read_text(encoding="utf-8")


def element(page: str, name: str) -> str:
    (found,) = re.findall(rf'<script [^>]*id="{name}">(.*?)</script>', page, re.DOTALL)
    return str(found)


def test_every_document_is_in_it_as_the_server_would_send_it(page: str, reference: Path) -> None:
    places = json.loads(element(page, "mvakit-places"))
    documents = Documents([reference / "toy" / "cat" / "TMVA.root"])
    chunks = [
        json.loads(zlib.decompress(base64.b64decode(element(page, f"mvakit-chunk-{number}"))))
        for number in range(max(places.values()) + 1)
    ]
    assert sum(map(len, chunks)) == len(places)
    assert "d/0/view/rejBvsS.json" in places
    for path in (
        "index.json",
        "d/0/catalogue.json",
        "d/0/table.json",
        "d/0/method/1/card.json",
        "d/0/view/rejBvsS.json",
    ):
        wanted = documents.read(path)
        assert wanted is not None
        assert chunks[places[path]][path] == json.loads(wanted)
    titles = [method["title"] for method in json.loads(documents.read("d/0/catalogue.json") or b"")["methods"]]
    assert "error" in chunks[0].get("d/0/method/9/points.json", {"error": ""}) or "cuts" in str(titles)


def test_it_needs_nothing_from_outside(page: str) -> None:
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    policy = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)[0]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src" not in policy
    assert "unsafe" not in policy
    for tag, kind in (("script", ' type="module"'), ("style", "")):
        (text,) = re.findall(rf"<{tag}{kind}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_the_pages_modules_can_be_joined_into_one_script() -> None:
    seen: dict[str, str] = {}
    for position, name in enumerate(MODULES):
        text = page_file(name).decode()
        for imported in re.findall(r'^import .* from "\./(.*)";$', text, re.MULTILINE):
            assert imported in MODULES[:position], f"{name} comes before {imported}"
        assert len(re.findall(r"^import\b", text, re.MULTILINE)) == len(report._IMPORT.findall(text)), name
        declared = re.findall(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", text, re.MULTILINE)
        for one in declared:
            assert one not in seen, f"{one} is declared in {seen.get(one)} and in {name}"
            seen[one] = name
        assert "</script" not in text
        assert "</style" not in page_file("style.css").decode()
    script = report._script()
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


def test_a_name_in_the_list_of_documents_cannot_end_its_element() -> None:
    listed = "".join(report._data({"</script><b>": 0}, ["x"]))
    assert "</script><b>" not in listed
    assert json.loads(element(listed, "mvakit-places")) == {"</script><b>": 0}


def test_what_cannot_be_drawn_is_told_in_its_place(reference: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = Documents([reference / "toy" / "cat" / "TMVA.root"])
    monkeypatch.setattr(documents, "paths", lambda: iter(["index.json", "d/0/view/none.json", "d/9/none.json"]))
    monkeypatch.setattr(report, "_CHUNK_BYTES", 10)
    places, chunks = report._packed(documents, lambda *told: None)
    assert places == {"index.json": 0, "d/0/view/none.json": 1}
    found = json.loads(zlib.decompress(base64.b64decode(chunks[1])))
    assert "no view 'none'" in found["d/0/view/none.json"]["error"]


def test_a_report_that_cannot_be_written_is_told(
    reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "_packed", lambda documents, tick: ({}, []))
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written to"):
        save_report([reference / "toy" / "cat" / "TMVA.root"], tmp_path / "file" / "report.html")
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        save_report([reference / "toy" / "cat" / "TMVA.root"], tmp_path / "report.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "report.html"]
