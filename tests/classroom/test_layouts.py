"""Whose is which file: layouts of learning platforms, zips, and files that are no files."""

import contextlib
import io
import json
import os
import shutil
import sys
import unicodedata
import zipfile

import pytest
from classroom.sums import RIGHT, hand_in

from trm_lite.classroom import layouts
from trm_lite.classroom.submissions import collect
from trm_lite.cli.main import main
from trm_lite.common import UserError


@pytest.fixture
def found(master, tmp_path):
    """Collects the folder `in`: the submissions by their labels."""

    def collected(place=tmp_path / "in"):
        every = collect(place, master.assignment, master.handed)
        assert len({one.label for one in every}) == len(every)
        return {one.label: one for one in every}

    return collected


@pytest.fixture
def handed_in(notebook, tmp_path):
    """Writes a solved notebook to a place in the folder `in`."""

    def write(place, answers=RIGHT):
        path = tmp_path / "in" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        made = hand_in(tmp_path / "made", notebook, "x", answers)
        return shutil.move(made, path)

    return write


LAYOUTS = {
    "Moodle, folders": "Bo Li_4711_assignsubmission_file_/a (1).ipynb",
    "Moodle, files": "Bo Li_4711_assignsubmission_file_sums.ipynb",
    "Canvas": "Bo Li_4711_990_sums-1.ipynb",
    "Canvas, late": "Bo Li_LATE_4711_990_sums.ipynb",
    "nbgrader": "Bo Li/sums/sums.ipynb",
    "a file": "Bo Li.ipynb",
    "capitals": "Bo Li.IPYNB",
    "text": "Bo Li.ipynb.txt",
    "JSON": "Bo Li.ipynb.json",
}


@pytest.mark.parametrize("what", LAYOUTS)
def test_a_layout_is_understood(found, handed_in, tmp_path, what):
    handed_in(LAYOUTS[what])
    for name in ("desktop.ini", "Thumbs.db", "__MACOSX/._a.ipynb", ".DS_Store", "grades.csv",
                 "feedback/anna.html", "._Bo Li.ipynb"):  # fmt: skip
        path = tmp_path / "in" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    (one,) = found().values()
    assert one.student == "Bo Li" and one.done == 3 and not one.remarks
    assert one.id == ("4711" if "4711" in LAYOUTS[what] else "")
    # The same in a zip of the class, and as a zip of the student's.
    folder = tmp_path / "in"
    shutil.make_archive(str(tmp_path / "all"), "zip", folder)
    (zipped,) = found(tmp_path / "all.zip").values()
    assert (zipped.student, zipped.id, zipped.code) == (one.student, one.id, one.code)


def test_a_student_can_hand_in_a_zip(found, handed_in, tmp_path):
    handed_in("deep/folder/sums.ipynb")
    shutil.make_archive(str(tmp_path / "Bo Li"), "zip", tmp_path / "in")
    shutil.rmtree(tmp_path / "in")
    (tmp_path / "in").mkdir()
    shutil.move(tmp_path / "Bo Li.zip", tmp_path / "in")
    (tmp_path / "in" / "broken.zip").write_bytes(b"PK\3\4 and no more")
    assert found()["Bo Li"].done == 3
    assert not found()["broken"].readable and "broken.zip" in found()["broken"].remarks[0]


def test_one_student_has_one_row(found, handed_in, tmp_path):
    text = tmp_path / "in" / "Bo Li_4711_assignsubmission_onlinetext_" / "onlinetext.html"
    text.parent.mkdir(parents=True)
    text.write_text("<p>see the file</p>")
    handed_in("Bo Li_4711_assignsubmission_file_/sums.ipynb")
    for number, form in enumerate(("NFC", "NFD")):
        handed_in(
            unicodedata.normalize(form, "Zoë") + f"/sums{number}.ipynb", {} if number else RIGHT
        )
    assert {label: one.done for label, one in found().items()} == {"Bo Li": 3, "Zoë": 3}


def test_an_online_text_alone_is_named(found, tmp_path):
    text = tmp_path / "in" / "Bo Li_4711_assignsubmission_onlinetext_" / "onlinetext.html"
    text.parent.mkdir(parents=True)
    text.write_text("<p>my answer</p>")
    (one,) = found().values()
    assert not one.readable and "onlinetext.html" in one.remarks[0]


@pytest.mark.skipif(sys.platform == "win32", reason="files of Unix")
def test_only_files_are_read_and_every_name_is_safe(
    found, handed_in, master_path, tmp_path, capsys
):
    folder = tmp_path / "in"
    handed_in("anna.ipynb")
    os.mkfifo(folder / "pipe.ipynb")
    for name, target in (("zero", "/dev/zero"), ("root", "/"), ("master", master_path),
                         ("loop", "loop.ipynb")):  # fmt: skip
        (folder / f"{name}.ipynb").symlink_to(target)
    (folder / "inside").mkdir()
    (folder / "inside" / "up").symlink_to(folder)
    (folder / ("n" * 249 + ".ipynb")).write_text("{}")
    (folder / ("f" * 255)).mkdir()
    names = [b"M\xfcller.ipynb", b"\xff\xfe", b"new\nline.ipynb", b"\t=1+1.ipynb"]
    for name in names:
        with contextlib.suppress(OSError), open(os.fsencode(folder) + b"/" + name, "wb") as file:
            file.write(b"{}")
    students = found()
    assert all(not one.code for label, one in students.items() if label != "anna")
    assert all("not a regular file" in students[name].remarks[0]
               for name in ("pipe", "zero", "root", "master", "loop"))  # fmt: skip
    out = tmp_path / "out"
    assert main(["classroom", "grade", str(master_path), str(folder), "--out", str(out)]) == 0
    table = (out / "grades.csv").read_text("utf-8-sig")
    assert len(table.splitlines()) == len(students) + 1 and "\nanna,,10,10,100.0" in table
    assert len(list((out / "feedback").iterdir())) == len(students)
    assert "\ufffd=1+1" in table and "M\ufffdller" in table


HOSTILE_FILES = {
    "huge": b"[" + b"1," * 5_000_001,
    "deep": b"[" * 200_000,
    "not UTF-8": b"\xff\xfe\x00",
    "empty": b"",
    "no cells": b'{"cells": {"a": 1}}',
    "odd cells": b'{"cells": [1, null, [], {"source": {"a": 1}, "cell_type": []}]}',
    "odd metadata": json.dumps({"cells": [{"cell_type": "code", "source": [1, None, ["x"]],
                                           "metadata": {"nbgrader": {"grade_id": [1]}}}]}).encode(),
    "half an emoji": b'{"cells": [{"cell_type": "code", "source": "# exercise: add\\n\\ud800"}]}',
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE_FILES)
def test_whatever_is_in_a_file_reading_goes_on(found, handed_in, tmp_path, what):
    handed_in("anna.ipynb")
    (tmp_path / "in" / "eve.ipynb").write_bytes(HOSTILE_FILES[what])
    assert found()["anna"].done == 3
    assert found()["eve"].remarks
    json.dumps(found()["eve"].code, ensure_ascii=False).encode()


def test_too_large_a_file_is_not_read(found, handed_in, tmp_path, monkeypatch):
    monkeypatch.setattr(layouts, "LARGEST", 1000)
    handed_in("anna.ipynb")
    assert "larger than 1,000 bytes" in found()["anna"].remarks[0]
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.ipynb", bytes(100_000))
        archive.writestr("../../evil.ipynb", "{}")
    (tmp_path / "in" / "bomb.zip").write_bytes(bomb.getvalue())
    assert "larger than" in found()["bomb"].remarks[0] and not (tmp_path / "evil.ipynb").exists()


def test_no_submissions_are_a_sentence(found, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "desktop.ini").write_text("")
    with pytest.raises(UserError, match="is empty"):
        found()
    (tmp_path / "all.zip").write_bytes(b"no")
    with pytest.raises(UserError, match="not a zip"):
        found(tmp_path / "all.zip")
