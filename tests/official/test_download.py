"""Files of public data sets: fetched in one piece or several, and never taken for others."""

import hashlib
import io
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from zipfile import ZipFile

import pytest

from trm_lite.cli.main import main
from trm_lite.common import UserError
from trm_lite.data.benchmarks import concept_arc, maze_hard
from trm_lite.data.benchmarks import download as hub
from trm_lite.data.benchmarks.download import DataFile, fetch_data
from trm_lite.puzzles import maze

CONTENT = bytes(range(256)) * 400  # 100 KB


class Hub(BaseHTTPRequestHandler):
    """Serves `files`; `cut` bytes at the most per answer; `continues` or begins again."""

    files: dict[str, bytes]
    cut: int | None
    continues: bool
    asked: list[tuple[str, str | None]]

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.asked.append((self.path, wanted))
        name = self.path.rsplit("/", 1)[-1]
        if name not in self.files:
            self.send_error(404)
            return
        content, first = self.files[name], 0
        if wanted and self.continues:
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if first >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content) - first))
        self.end_headers()
        self.wfile.write(content[first:][: self.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    handler = type("Handler", (Hub,), {"files": {}, "cut": None, "continues": True, "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{running.server_port}")
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        handler.files["a.csv"] = CONTENT
        yield handler
        running.shutdown()


def data_file(content: bytes = CONTENT, name: str = "a.csv") -> DataFile:
    return DataFile("some/data", "abc123", name, hashlib.sha256(content).hexdigest())


def test_a_file_is_fetched_once(server, tmp_path):
    path = fetch_data(data_file(), tmp_path / "new" / "folder")
    assert path.read_bytes() == CONTENT
    assert server.asked == [("/datasets/some/data/resolve/abc123/a.csv", None)]
    assert fetch_data(data_file(), tmp_path / "new" / "folder") == path
    assert len(server.asked) == 1 and [p.name for p in path.parent.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("continues", [True, False])
def test_a_cut_download_goes_on(server, tmp_path, continues):
    server.cut, server.continues = 30_000, continues
    with pytest.raises(UserError, match=r"cut at 30,000 of 102,400 .* goes on from there"):
        fetch_data(data_file(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv.part"]
    server.cut = None
    assert fetch_data(data_file(), tmp_path).read_bytes() == CONTENT
    assert server.asked[1][1] == "bytes=30000-"


def test_a_download_that_ended_before_its_check(server, tmp_path):
    (tmp_path / "a.csv.part").write_bytes(CONTENT)
    assert fetch_data(data_file(), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"", b"other bytes", CONTENT + b"more"])
def test_other_bytes_are_not_taken_for_the_file(server, tmp_path, part):
    (tmp_path / "a.csv.part").write_bytes(part)
    file = data_file(b"what was published") if part == b"" else data_file()
    with pytest.raises(UserError, match="SHA-256"):
        fetch_data(file, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_copy_is_noticed(server, tmp_path):
    path = fetch_data(data_file(), tmp_path)
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(UserError, match="is damaged; delete it"):
        fetch_data(data_file(), tmp_path)


def test_what_is_not_there(server, tmp_path):
    with pytest.raises(UserError, match=r"b\.csv could not be fetched \(Not Found\)"):
        fetch_data(data_file(name="b.csv"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "nonsense"])
def test_without_a_connection(tmp_path, monkeypatch, capsys, endpoint):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setenv("TRM_LITE_CACHE", str(tmp_path / "cache"))
    assert main(["data", "sudoku-extreme", "--out", str(tmp_path / "built")]) == 2
    said = capsys.readouterr().err
    assert f"{endpoint}/datasets/sapientinc/sudoku-extreme/resolve/58942f96" in said
    assert "download train.csv elsewhere and name the folder it is in with --from" in said
    assert "Traceback" not in said and list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_what_is_there(server, tmp_path, monkeypatch):
    class Full:
        def __init__(self, *_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def write(self, _):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(hub, "open", Full, raising=False)
    with pytest.raises(UserError, match=r"a\.csv\.part could not be written: No space left"):
        fetch_data(data_file(), tmp_path)
    monkeypatch.undo()


def packed(tasks: int, folder: str = "corpus") -> bytes:
    """A ZIP file of the form of ConceptARC's, one training and one test pair per task."""
    content = io.BytesIO()
    with ZipFile(content, "w") as file:
        file.writestr("ConceptARC-abc/README.md", "# ConceptARC")
        file.writestr(f"ConceptARC-abc/{folder}/../../escaped.json", "{}")
        for number in range(tasks):
            pair = [{"input": [[number % 10]], "output": [[1]]}]
            task = json.dumps({"train": pair, "test": pair})
            file.writestr(f"ConceptARC-abc/{folder}/Copy/Copy{number}.json", task)
        file.writestr(f"ConceptARC-abc/{folder}/Copy/CopyMinimal.json", task)
    return content.getvalue()


def test_concept_arc_from_github(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hub, "GITHUB", os.environ["HF_ENDPOINT"])
    monkeypatch.setattr(concept_arc, "CONCEPT_PAIRS", 320)
    zip_file = f"{concept_arc.ARCHIVE.commit}.zip"
    command = ["download", "concept-arc", "--out", str(tmp_path / "data")]

    def refusal():
        assert main(command) == 2
        assert not list((tmp_path / "data").glob("*")), "nothing is left behind"
        return capsys.readouterr().err

    for content, said in (
        (
            packed(159),
            "There are 159 tasks with 318 pairs, but ConceptARC has 160 with 320; run again",
        ),
        (packed(160, "elsewhere"), "That is not ConceptARC ("),
        (packed(160)[:-500], "is no whole ZIP file"),
    ):
        server.files[zip_file] = content
        assert said in refusal()
    server.files[zip_file] = packed(160)
    assert main(command) == 0
    there = tmp_path / "data" / "concept-arc"
    assert f"Next: trm-lite data arc-agi-1 --concept {there}" in capsys.readouterr().out
    assert server.asked[-1][0] == f"/victorvikram/ConceptARC/archive/{zip_file}"
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["concept-arc"]
    asked = len(server.asked)
    assert main(command) == 0 and len(server.asked) == asked
    (there / "Copy" / "Copy3.json").unlink()
    assert main(command) == 2 and f"delete {there} and run again" in capsys.readouterr().err


def test_concept_arc_without_a_connection(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hub, "GITHUB", "http://127.0.0.1:9")
    assert main(["download", "concept-arc", "--out", str(tmp_path / "data")]) == 2
    said = capsys.readouterr().err
    assert "/victorvikram/ConceptARC/archive/" in said and "or unpack it elsewhere" in said
    assert not (tmp_path / "data").exists()


def test_a_benchmark_from_the_hub(server, tmp_path, monkeypatch, capsys):
    mazes, answers = maze.generate(4, 5, seed=0)
    texts = [
        ["".join(maze.CHARACTERS[cell] for cell in board) for board in boards]
        for boards in (mazes, answers)
    ]
    rows = "".join(f",{question},{answer},9\n" for question, answer in zip(*texts, strict=True))
    content = f"source,question,answer,rating\n{rows}".encode()
    files = [data_file(content, name) for name in ("train.csv", "test.csv")]
    monkeypatch.setattr(maze_hard, "FILES", files)
    monkeypatch.setenv("TRM_LITE_CACHE", str(tmp_path / "cache"))
    server.files |= {"train.csv": content, "test.csv": content}
    server.cut = 100
    command = ["data", "maze-hard", "--out", str(tmp_path / "built")]
    assert main(command) == 2 and "was cut at 100 of" in capsys.readouterr().err
    assert not (tmp_path / "built").exists()
    server.cut = None
    assert main(command) == 0 and "4 of 4 answers of test" in capsys.readouterr().out
    asked = len(server.asked)
    assert main(command) == 0 and "already" in capsys.readouterr().out
    assert main([*command[:-1], str(tmp_path / "again")]) == 0 and len(server.asked) == asked
