"""The page of a build: complete, of its own, and safe against what file names and captions may hold."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from index_builder.build import build_database
from index_builder.build_report import ALREADY_INDEXED, ReportEntry
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import DatabaseNotWritable
from index_builder.report.build_page import build_page, write_build_page
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_garbage, write_video


class Page(HTMLParser):
    """Text, attributes and the pictures of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.links, self.tags, self.pictures = "", [], [], []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.text += data + " "

    def handle_starttag(self, tag: str, attributes) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "srcset", "data", "action", "poster"):
                self.links.append(value)
            if name == "src":
                content = base64.b64decode(value.removeprefix("data:image/jpeg;base64,"), validate=True)
                self.pictures.append(Image.open(io.BytesIO(content)))


@pytest.fixture(scope="module")
def report_and_database(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("page")
    for seed in range(3):
        write_video(folder / "v" / f"{seed}.mp4", seed=seed)
    write_video(folder / "v" / "twin <b>&.mp4", seed=0)
    write_garbage(folder / "v" / "<script>alert(1)</script>.mp4".replace("/", "_"))
    report = build_database([folder / "v"], output=folder / "db", encoder=ProjectionEncoder(), workers=1)
    return report, MotionDatabase.open(folder / "db")


def test_the_page_says_what_the_report_says(report_and_database) -> None:
    report, database = report_and_database
    page = Page(build_page(database, report))
    words = " ".join(page.text.split())
    assert "5 videos found 3 indexed 1 skipped 1 failed" in words and "this build is complete" in words
    assert "1 × same content as another video" in words and "1 × not a readable video" in words
    assert "fixed projection 0 (32)" in words and f"{report.rows} clips in the database" in words
    sheet, atlas = page.pictures
    assert sheet.size[0] > 1000 and atlas.size == (1024, 1024) and np.asarray(atlas).std() > 5


def test_the_page_loads_nothing_and_runs_nothing(report_and_database) -> None:
    report, database = report_and_database
    html = build_page(database, report)
    page = Page(html)
    assert len(page.links) == 2 and all(link.startswith("data:image/jpeg;base64,") for link in page.links)
    assert not {"script", "link", "iframe", "object", "b"} & set(page.tags) - {"b"} and "default-src 'none'" in html
    assert not re.search(r"https?:|url\(|@import", html)
    assert "<script>alert(1)<_script>.mp4" in page.text and "twin <b>&.mp4" in page.text


def test_reasons_are_grouped_and_long_lists_cut(report_and_database) -> None:
    report, database = report_and_database
    many = [
        ReportEntry(source=f"/v/{n}.mp4", row_id=None, outcome="skipped", reason=ALREADY_INDEXED) for n in range(500)
    ]
    words = Page(build_page(database, replace(report, skipped=tuple(many), interrupted=True))).text
    assert "500 × already indexed" in words and "… and 300 more" in words and "/v/300.mp4" not in words
    assert "interrupted: run the build again" in words


def test_writing_replaces_the_page_and_names_what_hinders(report_and_database, tmp_path: Path) -> None:
    report, database = report_and_database
    path = tmp_path / "new" / "report.html"
    for _ in range(2):
        write_build_page(path, database, report)
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8").endswith("</html>\n")
    with pytest.raises(DatabaseNotWritable, match=r"Expected to write the report .*choose another --report"):
        write_build_page(path / "report.html", database, report)
    (path.parent / "folder").mkdir()
    with pytest.raises(DatabaseNotWritable, match=r"Expected to write the report .*choose another --report"):
        write_build_page(path.parent / "folder", database, report)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["folder", "report.html"]
