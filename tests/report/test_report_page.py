"""The page: the same bytes every time, whole, and in need of nothing else."""

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
import report_records

from snn5.report import TASKS, Results, build, folder, write

VOID = {"meta", "br", "hr", "img", "link"}
_CODE = """
import hashlib, report_records
from snn5.report import build
print(hashlib.sha256(repr(sorted(build(report_records.results()).items())).encode()).hexdigest())
"""


class Page(HTMLParser):
    """Checks that tags nest; collects ids, references and tables."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href"):
                self.links.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return build(report_records.results())


def test_equal_records_give_equal_bytes(files: dict[str, bytes]) -> None:
    assert build(report_records.results()) == files


def test_another_process_and_hash_seed_give_equal_bytes(files: dict[str, bytes]) -> None:
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])]), "TZ": "Asia/Tokyo"}
    found = subprocess.run([sys.executable, "-c", _CODE], env=environment, capture_output=True, text=True, check=True).stdout.strip()
    assert found == hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()


def test_the_page_is_well_formed_and_stands_alone(files: dict[str, bytes]) -> None:
    text = files["roadmap.html"].decode()
    page = Page()
    page.feed(text)
    assert page.open == []
    assert [name for name, count in Counter(page.ids).items() if count > 1] == []
    inside = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    assert inside <= set(page.ids)
    assert {link for link in page.links if not link.startswith("#")} == files.keys() - {"roadmap.html", "figures.json"}
    assert not re.search(r"<script|@import|url\((?!#)", text)
    assert set(re.findall(r"https?://[^\"' <]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }  # names, not addresses
    assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(page.ids)
    assert page.tags["svg"] == len(files) - 2


def test_no_trace_of_machine_or_time(files: dict[str, bytes]) -> None:
    for name, data in files.items():
        assert str(Path.cwd()).encode() not in data, name
        assert b"Matplotlib" not in data and b"tIME" not in data, name


def test_small(files: dict[str, bytes]) -> None:
    assert sum(map(len, files.values())) < 2_000_000


def test_every_task_has_a_row(files: dict[str, bytes]) -> None:
    text = files["roadmap.html"].decode()
    assert all(f'<td class="l id">{task.id}</td>' in text for task in TASKS)
    assert text.count('<span class="dot not">') == 0


def test_empty_records_make_a_page_that_says_so() -> None:
    made = build(Results({}))
    assert made.keys() == {"roadmap.html", "figures.json"}
    text = made["roadmap.html"].decode()
    assert "0 are measured, 0 in part, 23 are not there yet" in text
    assert text.count("not measured yet") == 2
    assert "p6_integrate@frames has not run" in text


def test_a_raster_that_was_not_recorded_is_named() -> None:
    full = report_records.results()
    del full.records["p2_coding"].details["raster"]
    del full.records["p8_lsm"].runs["events-seed0"].details["raster"]
    made = build(full)
    text = made["roadmap.html"].decode()
    assert "p2_coding recorded no raster" in text and "p8_lsm recorded no raster" in text
    assert not {"coding_raster.png", "liquid_raster.png"} & made.keys()


def test_text_from_records_is_escaped() -> None:
    full = report_records.results()
    full.records["p7_data@frames"].details["dataset"] = "<script>x</script>"
    assert b"<script" not in build(full)["roadmap.html"]


def test_write_leaves_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "old.png").write_bytes(b"x")
    write({"a.png": b"1"}, tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == ["a.png"]


def test_folder() -> None:
    assert folder("p1_train@a-b") == Path("data/p1_train/a-b")
    assert folder("p8_lsm") == Path("data/p8_lsm")
