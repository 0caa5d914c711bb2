"""The book: what its sources say, what its check finds, and, where it is built, that it has no problems."""

import re

import nbformat
import pytest

from book import check, sources
from tests.tools.snippets import Snippet, find_snippets

ROOT = check.Path(__file__).parent.parent.parent
BUILT = ROOT / "build" / "book"
LESSONS = [sources.read_lesson(path) for path in sorted(sources.NOTEBOOKS.glob("*.ipynb"))]
INDEX = (ROOT / "book" / "index.md").read_text("utf-8")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The book's sources in a folder."""
    sources.main(folder := tmp_path_factory.mktemp("book") / "sources")
    return folder


# The sources.


def test_each_lesson_is_a_page_and_on_the_list(pages):
    listed = (pages / "lessons.md").read_text("utf-8")
    problems = []
    for lesson in LESSONS:
        if not (pages / "notebooks" / f"{lesson.name}.ipynb").exists():
            problems.append(f"{lesson.name} has no page")
        if f"{lesson.link} | {lesson.what} | {lesson.minutes} |" not in listed:
            problems.append(f"{lesson.name} is not on the list")
    assert problems == [] and len(LESSONS) >= 10


def test_outputs_and_code_are_those_of_the_lessons(pages):
    problems = []
    for lesson in LESSONS:
        here, there = (
            [
                (cell.id, cell.source, cell.outputs)
                for cell in nbformat.read(folder / f"{lesson.name}.ipynb", as_version=4).cells
                if cell.cell_type == "code"
            ]
            for folder in (sources.NOTEBOOKS, pages / "notebooks")
        )
        problems += [lesson.name] if here != there else []
    assert problems == []


def test_the_map_puts_each_lesson_right_of_those_it_needs():
    columns = sources.learning_map(LESSONS).split(":::{container} step")[1:]
    place = {
        name: number
        for number, column in enumerate(columns)
        for name in re.findall(r"notebooks/(\w+)\.ipynb", column)
    }
    assert set(place) == {lesson.name for lesson in LESSONS}
    wrong = [
        f"{lesson.name} needs {need}"
        for lesson in LESSONS
        for need in lesson.needs
        if place[need] >= place[lesson.name]
    ]
    assert wrong == [] and len(columns) > 2


def test_the_home_page_offers_paths_through_lessons_that_exist(pages):
    home = (pages / "index.md").read_text("utf-8")
    assert "@" not in home
    assert len(sources.LIST.findall(INDEX)) >= 5
    (hour,) = re.findall(r"^I have an hour\n: @lessons (.+)$", INDEX, re.MULTILINE)
    assert sum(lesson.minutes for lesson in LESSONS if lesson.number in hour.split()) <= 60


def test_the_readme_offers_the_same_paths():
    readme = (ROOT / "README.md").read_text("utf-8")
    paths = re.findall(r"^(I .+)\n: @lessons (.+)$", INDEX, re.MULTILINE)
    assert re.findall(r"^- (I .+): (\d\d.*)$", readme, re.MULTILINE) == [
        (who, lessons.replace(" ", ", ")) for who, lessons in paths
    ]


def test_a_path_through_a_lesson_that_is_not_there_is_an_error():
    with pytest.raises(KeyError, match="99"):
        sources.fill(": @lessons 01 99\n", LESSONS)


def test_hidden_code_is_folded_and_figures_keep_their_descriptions(pages):
    problems, figures = [], 0
    for lesson in LESSONS:
        for cell in nbformat.read(pages / "notebooks" / f"{lesson.name}.ipynb", as_version=4).cells:
            hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
            if hidden != ("hide-input" in cell.metadata.get("tags", [])):
                problems.append(f"{lesson.name}, {cell.id}: folded?")
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    figures += 1
                    alt = output.metadata["image/png"]["alt"]
                    if cell.metadata["mystnb"]["image"]["alt"] != " ".join(alt.split()):
                        problems.append(f"{lesson.name}, {cell.id}: description")
    assert problems == [] and figures > 10


def test_each_snippet_has_a_page(pages):
    listed = (pages / "snippets.md").read_text("utf-8")
    problems = []
    for snippet in find_snippets():
        if f"- [{snippet.task}](snippets/{snippet.name}.md)\n" not in listed:
            problems.append(f"{snippet.task}: not on the list")
        text = (pages / "snippets" / f"{snippet.name}.md").read_text("utf-8")
        if f"````python\n{snippet.shown}\n````" not in text:
            problems.append(f"{snippet.task}: the program")
        if not all(remark in text for remark in snippet.remarks):
            problems.append(f"{snippet.task}: the remarks")
    assert problems == []


def test_no_lesson_has_mathematics_which_would_need_mathjax():
    """Dollars in prose are prices: MyST's extensions for mathematics are off."""
    configuration = (ROOT / "book" / "conf.py").read_text("utf-8")
    assert "dollarmath" not in configuration and "amsmath" not in configuration
    found = [
        f"{lesson.name}, {cell.id}"
        for lesson in LESSONS
        for cell in nbformat.read(sources.NOTEBOOKS / f"{lesson.name}.ipynb", as_version=4).cells
        if cell.cell_type == "markdown"
        and re.search(r"\$\$|\\\(|\\\[|```\{math|\{math\}`", cell.source)
    ]
    assert found == []


# The check.

GOOD = "<html lang=en><main><h1>One</h1><h2 id=two>Two</h2></main></html>"


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (GOOD, None),
        (GOOD + '<a href="https://docs.mistral.ai">a link may leave</a>', None),
        (GOOD + '<a href="#two"></a><a href="index.html#two"></a>', None),
        (GOOD + '<img src="data:image/png;base64,AA==" alt="A dot.">', None),
        (GOOD + '<script src="https://cdn.example/x.js"></script>', "another host"),
        (GOOD + '<script src="//cdn.example/x.js"></script>', "another host"),
        (GOOD + '<link rel="preconnect" href="https://fonts.example">', "another host"),
        (GOOD + '<img alt="x" src="http://cdn.example/x.png">', "another host"),
        (GOOD + '<img alt="x" src="x.css" srcset="x.css, //cdn.example/x.png 2x">', "another host"),
        (GOOD + '<div style="background: url(https://cdn.example/x.png)"></div>', "another host"),
        (GOOD + "<style>@import 'https://cdn.example/x.css';</style>", "another host"),
        (GOOD + '<script>fetch("https://cdn.example/x.json")</script>', "another host"),
        (GOOD + '<script>const x = await import("//cdn.example/x.js")</script>', "another host"),
        (GOOD + '<script src="none.js"></script>', "loads what is not there"),
        (GOOD + '<a href="none.html"></a>', "leads nowhere"),
        (GOOD + '<a href="../outside.html"></a>', "leads nowhere"),
        (GOOD + '<a href="#three"></a>', "leads to no place"),
        (GOOD + '<img src="x.css">', "no description"),
        (GOOD + '<img src="x.css" alt=" ">', "no description"),
        (GOOD.replace("h2", "h3"), "level 3 follows one of level 1"),
        (GOOD.replace("h1", "h2"), "0 headings of level 1"),
        (GOOD.replace(" lang=en", ""), "no language"),
    ],
)
def test_the_check_finds_each_problem_of_a_page(tmp_path, page, problem):
    (tmp_path / "outside.html").write_text(GOOD)
    (book := tmp_path / "book").mkdir()
    (book / "index.html").write_text(page)
    (book / "x.css").write_text("a { background: url(#gradient) }")
    found = check.check(book)
    assert len(found) == (problem is not None), found
    assert problem is None or problem in found[0]


def test_the_check_reads_style_sheets_and_wants_a_home_page(tmp_path, capsys):
    (tmp_path / "x.css").write_text("@font-face { src: url('https://fonts.example/x.woff2') }")
    assert check.main(tmp_path) == 1
    assert capsys.readouterr().out.startswith(
        "there is no index.html\nx.css: loads from another host: https://fonts.example/x.woff2\n"
    )


SNIPPET = Snippet("Do it", "01_keys", "01 Keys", "Section", "import httpx\n\nhttpx.codes")
LIST = '<a href="snippets/do_it.html">Do it</a>'
TASK = """<script src="copybutton.js"></script><pre>pip install httpx</pre>
<div class="highlight-python"><pre><span>import httpx</span>\n\nprint(httpx.codes)</pre></div>
<a href="../notebooks/01_keys.html#section">Section</a> snippets/do_it.py"""


@pytest.mark.parametrize(
    ("where", "part", "problem"),
    [
        ("list", "nothing", None),
        ("list", "do_it.html", "snippets.html: no link to snippets/do_it.html"),
        ("task", "print(", "snippets/do_it.html: no program"),
        ("task", "pip install", "snippets/do_it.html: no packages"),
        ("task", "highlight-python", "snippets/do_it.html: no copy button"),
        ("task", "copybutton", "snippets/do_it.html: no copy button"),
        ("task", "snippets/do_it.py", "snippets/do_it.html: no file"),
        ("task", "01_keys.html", "snippets/do_it.html: no section"),
        ("task", "#section", "snippets/do_it.html: no section"),
    ],
)
def test_the_check_finds_what_the_page_of_a_snippet_lacks(tmp_path, where, part, problem):
    (tmp_path / "snippets").mkdir()
    pages = {"list": tmp_path / "snippets.html", "task": tmp_path / "snippets" / "do_it.html"}
    for name, text in (("list", LIST), ("task", TASK)):
        pages[name].write_text(text.replace(part, "") if name == where else text)
    assert check.check_snippets(tmp_path, [SNIPPET]) == [problem] * (problem is not None)


def test_the_check_finds_a_snippet_without_a_page(tmp_path):
    (tmp_path / "snippets.html").write_text(LIST)
    assert check.check_snippets(tmp_path, [SNIPPET]) == [
        "snippets/do_it.html: there is no such page"
    ]


# The built book.

HOME = BUILT / "index.html"
MADE_OF = [*sources.NOTEBOOKS.glob("*.ipynb"), *(ROOT / "book").glob("**/*.*")]
built = pytest.mark.skipif(
    not HOME.exists() or any(path.stat().st_mtime > HOME.stat().st_mtime for path in MADE_OF),
    reason="the book is not built from these lessons: make book",
)


@built
@pytest.mark.slow
def test_the_built_book_has_no_problems():
    assert check.check(BUILT) == []
    assert check.check_snippets(BUILT, find_snippets()) == []


@built
@pytest.mark.slow
def test_the_built_book_needs_no_mathjax_and_no_widgets():
    loads = {
        url for path in check.pages_of(BUILT) for url in check.Page(path.read_text("utf-8")).loads
    }
    assert [url for url in loads if re.search("mathjax|widget|require", url.lower())] == []


@built
@pytest.mark.slow
def test_the_built_book_folds_solutions_and_shows_each_lesson():
    problems = []
    for lesson in LESSONS:
        html = (BUILT / "notebooks" / f"{lesson.name}.html").read_text("utf-8")
        book = nbformat.read(sources.NOTEBOOKS / f"{lesson.name}.ipynb", as_version=4)
        folded = sum(cell.source.count("<summary>") for cell in book.cells)
        folded += sum(
            cell.metadata.get("jupyter", {}).get("source_hidden", False) for cell in book.cells
        )
        if html.count("<summary") != folded:
            problems.append(f"{lesson.name}: {html.count('<summary')} folded, not {folded}")
    assert problems == []
