"""Check the built book: links, headings, descriptions of figures, that no page asks another host, and that each
snippet has a page.

    python book/check.py FOLDER

Prints the problems, one per line, and ends with 1 if there are any.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.tools.snippets import Snippet, find_snippets  # noqa: E402

# What a browser loads by itself, unlike the target of a link.
LOADED = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "track": "src",
    "video": "src",
}
IN_CSS = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""")
# In a script of a page: what would load something later.
IN_SCRIPT = re.compile(r"""\b(?:fetch|import|importScripts|src\s*=)\s*\(?\s*["'`](?:https?:)?//""")


class Page(HTMLParser):
    """What a page has: ids, headings in <main>, links, what it loads, figures without words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.headings: list[int] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.problems: list[str] = []
        self.inside: list[str] = []
        # The text of each block of code; its class is what a copy button is put into.
        self.codes: list[str] = []
        self.language = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag in ("main", "pre", "script", "style"):
            self.inside.append(tag)
        if tag == "pre":
            self.codes.append("")
        if tag == "html":
            self.language = values.get("lang", "")
        elif tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif re.fullmatch("h[1-6]", tag) and "main" in self.inside:
            self.headings.append(int(tag[1]))
        elif tag == "img" and not values.get("alt", "").strip():
            self.problems.append(f"no description: {values.get('src', '')[:60]}")
        if tag in LOADED and LOADED[tag] in values:
            self.loads.append(values[LOADED[tag]])
        self.loads += [
            part.split()[0] for part in values.get("srcset", "").split(",") if part.strip()
        ]
        self.loads += IN_CSS.findall(values.get("style", ""))

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if self.inside and self.inside[-1] == "pre":
            self.codes[-1] += data
        elif self.inside and self.inside[-1] == "style":
            self.loads += IN_CSS.findall(data)
        elif self.inside and self.inside[-1] == "script" and IN_SCRIPT.search(data):
            self.problems.append(f"a script loads from another host: {data.strip()[:60]}")


def check(folder: Path) -> list[str]:
    """The problems of a built book, each with its page."""
    pages = {path: Page(path.read_text("utf-8")) for path in pages_of(folder)}
    problems = [] if folder / "index.html" in pages else ["there is no index.html"]
    for path, page in pages.items():
        found = page.problems + structure(page)
        found += [problem for url in page.loads if (problem := loaded(url, path, folder))]
        found += [problem for url in page.links if (problem := linked(url, path, folder, pages))]
        problems += [f"{path.relative_to(folder).as_posix()}: {problem}" for problem in found]
    for path in sorted(folder.rglob("*.css")):
        for url in IN_CSS.findall(path.read_text("utf-8")):
            if problem := loaded(url, path, folder):
                problems.append(f"{path.relative_to(folder).as_posix()}: {problem}")
    return problems


def check_snippets(folder: Path, snippets: list[Snippet]) -> list[str]:
    """What the page of each snippet lacks: the program, what it needs, its file, a way to its section."""
    listed = folder / "snippets.html"
    links = Page(listed.read_text("utf-8")).links if listed.exists() else []
    problems = []
    for snippet in snippets:
        name = f"snippets/{snippet.name}.html"
        if name not in links:
            problems.append(f"snippets.html: no link to {name}")
        if not (folder / name).exists():
            problems.append(f"{name}: there is no such page")
            continue
        text = (folder / name).read_text("utf-8")
        page = Page(text)
        codes = [code.strip() for code in page.codes]
        wanted = {
            "program": snippet.shown.strip() in codes,
            "packages": not snippet.packages
            or f"pip install {' '.join(snippet.packages)}" in codes,
            "copy button": "highlight-python" in text and "copybutton.js" in text,
            "file": f"snippets/{snippet.file}" in text,
            "section": any(
                link.startswith(f"../notebooks/{snippet.lesson}.html#") for link in page.links
            ),
        }
        problems += [f"{name}: no {what}" for what, there in wanted.items() if not there]
    return problems


def pages_of(folder: Path) -> list[Path]:
    """The pages that a reader can reach; the theme leaves a template among its files."""
    return [path for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts]


def structure(page: Page) -> list[str]:
    """Problems of a page's language and headings."""
    problems = [] if page.language else ["no language"]
    if page.headings.count(1) != 1:
        problems.append(f"{page.headings.count(1)} headings of level 1")
    for before, after in zip(page.headings, page.headings[1:], strict=False):
        if after > before + 1:
            problems.append(f"a heading of level {after} follows one of level {before}")
    return problems


def loaded(url: str, page: Path, folder: Path) -> str | None:
    """Why a browser can't load this without another host, or None."""
    parts = urlsplit(url)
    if parts.scheme == "data" or url.startswith("#"):
        return None
    if parts.scheme or parts.netloc:
        return f"loads from another host: {url[:80]}"
    return None if target(parts.path, page, folder) else f"loads what is not there: {url[:80]}"


def linked(url: str, page: Path, folder: Path, pages: dict[Path, Page]) -> str | None:
    """Why a link within the book leads nowhere, or None. Links to other hosts are not tried."""
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return None
    path = target(parts.path, page, folder) if parts.path else page
    if path is None:
        return f"leads nowhere: {url}"
    if parts.fragment and path in pages and unquote(parts.fragment) not in pages[path].ids:
        return f"leads to no place on the page: {url}"
    return None


def target(path: str, page: Path, folder: Path) -> Path | None:
    """The file that a path on a page names, if it is one of the book's."""
    found = (page.parent / unquote(path)).resolve()
    return found if found.is_file() and found.is_relative_to(folder.resolve()) else None


def main(folder: Path) -> int:
    problems = check(folder.resolve()) + check_snippets(folder.resolve(), find_snippets())
    print("\n".join(problems) or f"The book in {folder} has no problems.")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
