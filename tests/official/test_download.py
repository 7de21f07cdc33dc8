"""Public files: fetched through cuts in the connection, never half, never taken for others."""

import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZipFile

import pytest

from trm_lite.cli.main import main
from trm_lite.common import UserError
from trm_lite.data.benchmarks import concept_arc, download, maze_hard
from trm_lite.data.benchmarks.download import DataFile, fetch_data
from trm_lite.official.download import REPOSITORIES, fetch
from trm_lite.puzzles import maze

CONTENT = bytes(range(256)) * 400  # 100 KB
COMMIT = "0123456789" * 4
MAZES = REPOSITORIES["trm-maze"]


class Hub(BaseHTTPRequestHandler):
    """The little of the Hub's protocol that a download needs, and an archive as on GitHub."""

    files: dict[str, bytes]  # by their names, in whichever repository
    repositories: dict[str, list[str]]  # the names of the files in each
    cuts: list[int]  # bytes after which the next answers end
    continues: bool  # from where an earlier answer ended; it begins again otherwise
    asked: list[tuple[str, str, str | None]]  # method, path, range

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body: bool):
        wanted = self.headers.get("Range")
        path = self.requestline.split()[1]  # self.path has one slash where two were asked for
        self.asked.append((self.command, path, wanted))
        if self.path.startswith("/api/models/"):
            self.list_files(self.path.removeprefix("/api/models/").split("/tree/")[0])
            return
        content = self.files.get(self.path.split("/resolve/")[-1].partition("/")[2])
        content = content or self.files.get(self.path.rsplit("/", 1)[-1])
        if content is None:
            self.refuse(404, "EntryNotFound")
            return
        first = int(wanted.strip("bytes=-")) if wanted and self.continues else 0
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content) - first))
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{len(content)}"')
        self.end_headers()
        if body:
            cut = self.cuts.pop(0) if self.cuts else None
            self.wfile.write(content[first:][:cut])

    def list_files(self, repository: str):
        if repository not in self.repositories:
            self.refuse(401, "RepoNotFound")
            return
        names = self.repositories[repository]
        files = [{"type": "file", "path": n, "size": 1, "oid": "0"} for n in names]
        content = json.dumps(files).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def refuse(self, status: int, code: str):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def impatient(monkeypatch):
    """The waits of the library between its attempts, which take no time."""
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


@pytest.fixture
def server(monkeypatch, impatient):
    state = {"files": {"a.csv": CONTENT}, "repositories": {}, "cuts": [], "continues": True}
    handler = type("Handler", (Hub,), {**state, "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{running.server_port}")
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)
        # What the library keeps when a connection is cut is a whole number of these.
        monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield handler
        running.shutdown()


def data_file(content: bytes = CONTENT, name: str = "a.csv") -> DataFile:
    return DataFile("some/data", COMMIT, name, hashlib.sha256(content).hexdigest())


def test_a_file_is_fetched_once(server, tmp_path):
    path = fetch_data(data_file(), tmp_path / "new" / "folder")
    assert path.read_bytes() == CONTENT
    where = f"/datasets/some/data/resolve/{COMMIT}/a.csv"
    assert server.asked == [("HEAD", where, None), ("GET", where, None)]
    assert fetch_data(data_file(), tmp_path / "new" / "folder") == path
    assert len(server.asked) == 2 and [p.name for p in path.parent.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("continues", [True, False])
def test_a_cut_download_goes_on(server, tmp_path, continues):
    server.cuts, server.continues = [30_000, 50_000], continues
    assert fetch_data(data_file(), tmp_path).read_bytes() == CONTENT
    second = "bytes=80000-" if continues else "bytes=50000-"
    assert [wanted for *_, wanted in server.asked] == [None, None, "bytes=30000-", second]
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_a_connection_that_stays_away(server, tmp_path, impatient):
    server.cuts = [30_000] + [0] * 100
    with pytest.raises(UserError, match=r"a\.csv could not be fetched \(.*; check the connection"):
        fetch_data(data_file(), tmp_path / "new")
    assert list(tmp_path.iterdir()) == [] and 1 < len(impatient) < 20


def test_other_bytes_are_not_taken_for_the_file(server, tmp_path):
    with pytest.raises(UserError, match="SHA-256") as refused:
        fetch_data(data_file(b"what was published"), tmp_path / "new")
    assert list(tmp_path.iterdir()) == [] and refused.value.options == ("source",)


def test_a_damaged_copy_is_noticed(server, tmp_path):
    path = fetch_data(data_file(), tmp_path)
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(UserError, match="is damaged; delete it"):
        fetch_data(data_file(), tmp_path)


def test_what_is_not_there(server, tmp_path):
    with pytest.raises(UserError, match=r"b\.csv could not be fetched \(404 Not Found\)"):
        fetch_data(data_file(name="b.csv"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [("http://127.0.0.1:9", "Connection refused"), ("nonsense", "missing an 'http://'")],
)
def test_without_a_connection(tmp_path, monkeypatch, capsys, impatient, endpoint, reason):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setenv("TRM_LITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)
    assert main(["data", "sudoku-extreme", "--out", str(tmp_path / "data" / "built")]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(
        f"trm-lite: {endpoint}/datasets/sapientinc/sudoku-extreme/resolve/58942f"
    )
    assert f"{reason}" in said and "check the connection, or download train.csv elsewhere" in said
    assert said.endswith("name the folder it is in. (Option: --from.)")
    assert main(["download", "trm-maze", "--out", str(tmp_path / "checkpoints")]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"{endpoint}/{MAZES} could not be fetched (" in said and reason in said
    assert list(tmp_path.iterdir()) == []


@contextmanager
def no_file_above(size: int):
    """Files cannot grow beyond `size` bytes, as on a full disk."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def test_a_full_disk(server, tmp_path):
    with (
        no_file_above(50_000),
        pytest.raises(UserError, match=r"a\.csv could not be written: File too large"),
    ):
        fetch_data(data_file(), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


# --- as users meet it: the environment is read when the program starts ------------------------


def command(*arguments, **environment) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "trm_lite", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_a_mirror(server, tmp_path):
    server.repositories[MAZES], server.files["step_9"] = ["step_9"], CONTENT
    mirror = os.environ["HF_ENDPOINT"] + "/"
    done = command("download", "trm-maze", "--out", tmp_path, HF_ENDPOINT=mirror)
    path = tmp_path / "trm-maze" / "step_9"
    assert done.stdout == f"{path}\nNext: trm-lite convert {path}\n" and done.returncode == 0
    assert path.read_bytes() == CONTENT
    assert not any(asked.startswith("//") for _, asked, _ in server.asked)


@pytest.mark.parametrize(
    ("arguments", "instead"),
    [
        (["download", "trm-maze"], "download a file there by hand"),
        (["data", "maze-hard"], "download train.csv elsewhere and name the folder it is in"),
    ],
)
def test_offline_by_choice(tmp_path, arguments, instead):
    quiet = {"HF_HUB_OFFLINE": "1", "TRM_LITE_CACHE": str(tmp_path / "cache")}
    done = command(*arguments, "--out", tmp_path / "out", **quiet)
    said = done.stderr.splitlines()
    assert done.returncode == 2 and len(said) == 1 and list(tmp_path.iterdir()) == []
    assert (
        f"(the environment variable HF_HUB_OFFLINE forbids it); unset it, or {instead}" in said[0]
    )


# --- checkpoints ------------------------------------------------------------------------------


def test_the_latest_checkpoint_is_fetched(server, tmp_path):
    server.repositories[MAZES] = ["README.md", "all_config.yaml", "run/step_9", "run/step_100"]
    server.files |= {"run/step_9": b"nine", "run/step_100": CONTENT}
    server.cuts = [30_000]
    path = fetch("trm-maze", tmp_path)
    assert path == tmp_path / "trm-maze" / "run" / "step_100" and path.read_bytes() == CONTENT
    assert [found.name for found in path.parent.iterdir()] == ["step_100"]
    assert fetch("trm-maze", tmp_path) == path
    assert len([1 for method, where, _ in server.asked if "step_100" in where]) == 3


def test_a_checkpoint_is_chosen_by_its_step(server, tmp_path, capsys):
    server.repositories[MAZES] = ["README.md", "a/step_9", "a/step_100", "b/step_100", "last.pt"]
    server.files |= {"a/step_9": b"nine", "b/step_100": b"hundred", "last.pt": b"last"}
    command = ["download", "trm-maze", "--out", str(tmp_path)]
    for step, content in (
        ("9", b"nine"), ("step_9", b"nine"), ("b/step_100", b"hundred"), ("last.pt", b"last")
    ):  # fmt: skip
        assert main([*command, "--step", step]) == 0
        assert Path(capsys.readouterr().out.splitlines()[0]).read_bytes() == content
    for step, problem in (("7", "no checkpoint"), ("step_100", "several checkpoints")):
        assert main([*command, "--step", step]) == 2
        error = capsys.readouterr().err
        assert f"{problem} called '{step}'" in error and "a/step_9, a/step_100" in error
    assert main([*command, "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "last.pt", "a/step_9", "a/step_100", "b/step_100"
    ]  # fmt: skip


def test_any_repository_and_the_usual_file_of_a_known_one(server, tmp_path):
    server.repositories["someone/fork"] = ["../step_7", "model.pt"]
    gar = ["PPBench.pt", "TRM-MLP-Sudoku-Extreme.pt"]
    server.repositories[REPOSITORIES["trm-sudoku-gar"]] = gar
    server.repositories["someone/several"] = ["a.pt", "b.pt"]
    server.files |= {"model.pt": b"model", gar[1]: b"gar"}
    assert fetch("someone/fork", tmp_path) == tmp_path / "someone" / "fork" / "model.pt"
    assert fetch("trm-sudoku-gar", tmp_path).read_bytes() == b"gar"
    with pytest.raises(UserError, match=r"which .* is the latest; choose one of: a\.pt, b\.pt"):
        fetch("someone/several", tmp_path)
    with pytest.raises(UserError, match="There is no public checkpoint called"):
        fetch("../x", tmp_path)


def test_checkpoints_that_are_not_there(server, tmp_path, capsys):
    out = ["--out", str(tmp_path / "checkpoints")]

    def refusal(name):
        assert main(["download", name, *out]) == 2 and list(tmp_path.iterdir()) == []
        return capsys.readouterr().err.splitlines()[-1]

    said = refusal("trm-maze")
    assert f"{MAZES} could not be fetched (there is no such repository, or it is private)" in said
    server.repositories[MAZES] = ["README.md"]
    assert f"{MAZES} holds no checkpoint file" in refusal("trm-maze")
    server.repositories[MAZES] = ["step_9"]  # which is not among the files
    assert "could not be fetched (404 Not Found)" in refusal("trm-maze")
    assert all(name in refusal("nobody") for name in REPOSITORIES)


# --- archives, and a whole benchmark ----------------------------------------------------------


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
    monkeypatch.setattr(download, "GITHUB", os.environ["HF_ENDPOINT"])
    monkeypatch.setattr(concept_arc, "CONCEPT_PAIRS", 320)
    zip_file = f"{concept_arc.ARCHIVE.commit}.zip"
    command = ["download", "concept-arc", "--out", str(tmp_path / "data")]

    def refusal():
        assert main(command) == 2
        assert list(tmp_path.iterdir()) == [], "nothing is left behind"
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
    assert server.asked[-1][1] == f"/victorvikram/ConceptARC/archive/{zip_file}"
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["concept-arc"]
    asked = len(server.asked)
    assert main(command) == 0 and len(server.asked) == asked
    (there / "Copy" / "Copy3.json").unlink()
    assert main(command) == 2 and f"delete {there} and run again" in capsys.readouterr().err


def test_concept_arc_without_a_connection(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(download, "GITHUB", "http://127.0.0.1:9")
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
    monkeypatch.setattr(maze_hard, "DRAWN", replace(maze_hard.DRAWN, files=files))
    monkeypatch.setenv("TRM_LITE_CACHE", str(tmp_path / "cache"))
    server.files |= {"train.csv": content}
    command = ["data", "maze-hard", "--out", str(tmp_path / "data" / "built")]
    assert main(command) == 2 and "test.csv could not be fetched" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]  # with train.csv, but no data
    server.files |= {"test.csv": content}
    server.cuts = [100]
    assert main(command) == 0 and "4 of 4 answers of test" in capsys.readouterr().out
    assert len([path for _, path, _ in server.asked if path.endswith("train.csv")]) == 2
    asked = len(server.asked)
    assert main(command) == 0 and "already" in capsys.readouterr().out
    assert main([*command[:-1], str(tmp_path / "again")]) == 0 and len(server.asked) == asked
