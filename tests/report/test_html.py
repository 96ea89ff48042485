from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from stackaudit.model.result import Result
from stackaudit.report import Look, render

VOID = {"meta", "input", "br", "link", "img"}
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


class Page(HTMLParser):
    """What a browser would find: balanced elements, their attributes and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_is_whole_and_needs_nothing_else(shop: Result, empty: Result, hostile: Result) -> None:
    for result in (shop, empty, hostile):
        page = Page(render("html", result))
        assert page.open == []
        tags = {tag for tag, _ in page.found}
        assert tags & {"script", "link", "img", "iframe", "object", "form"} <= {"form"}
        for tag, attributes in page.found:
            assert not {"src", "srcset", "onclick", "onload"} & set(attributes)
            assert tag != "a" or re.match(r"https?://|#rule-\d+$", attributes["href"] or "")


def test_what_files_say_is_text(hostile: Result) -> None:
    page = Page(render("html", hostile, Look(name="<b>shop</b>")))
    words = "".join(page.words)
    assert "<script>alert(1)</script>" in words
    assert "<b>shop</b>" in words
    assert "javascript:alert(1)" in words  # told, but not as a link


def test_every_finding_is_on_the_page(shop: Result) -> None:
    words = " ".join("".join(Page(render("html", shop)).words).split())
    for finding in shop.findings:
        where = f"{finding.location.path}:{finding.location.line}:{finding.location.column}"
        assert (where in words) == (not finding.baselined)


def test_a_report_in_the_repository_is_no_template_with_tags_of_its_own(shop: Result) -> None:
    drawn = render("html", shop)
    assert "{{ order.customer.name }}" in "".join(Page(drawn).words)
    assert not re.search(r"\{[{%#]", drawn)


def test_chromium_shows_it(shop: Result, hostile: Result, tmp_path: Path) -> None:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed here")
    for name, result, expected in (
        ("shop", shop, "DEBUG is on in production"),
        ("hostile", hostile, "&lt;script&gt;alert(1)&lt;/script&gt;"),
    ):
        file = tmp_path / f"{name}.html"
        file.write_text(render("html", result, Look(name=name)), encoding="utf-8")
        command = [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000", "--dump-dom", file.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        assert expected in done.stdout
        assert "<script" not in done.stdout
        # What the browser made of it has the same elements as what was written: nothing was mended or moved.
        written, shown = Page(file.read_text(encoding="utf-8")), Page(done.stdout)
        made_up = {"tbody"}
        assert [tag for tag, _ in shown.found if tag not in made_up] == [tag for tag, _ in written.found]
