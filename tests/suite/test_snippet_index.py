"""The index of snippets: each has a task, README lists them all, and each is exported whole."""

import ast
import re
import tomllib

import nbformat
import pytest
from packaging.requirements import Requirement

from tests.tools import snippets

ROOT = snippets.ROOT
FOUND = snippets.find_snippets()
README = (ROOT / "README.md").read_text("utf-8")
TABLE = README.partition(snippets.HEAD)[2].partition("\n\n")[0].splitlines()


def test_the_first_cell_of_each_task_is_tagged_and_no_other_is():
    problems = []
    for path in sorted(snippets.NOTEBOOKS.glob("*.ipynb")):
        begun = {None}
        for cell in nbformat.read(path, as_version=4).cells:
            task = cell.metadata.get("task")
            if ("snippet" in cell.metadata.get("tags", [])) != (task not in begun):
                problems.append(f"{path.stem}, {cell.id}")
            begun.add(task)
    assert problems == []


def test_tasks_are_two_to_six_words_and_begin_with_a_capital():
    words = re.compile(r"[A-Z][a-z]*( [\w()-]+){1,5}")
    assert [found.task for found in FOUND if not words.fullmatch(found.task)] == []


def test_tasks_and_names_of_files_are_unique():
    assert len({found.task for found in FOUND}) == len(FOUND) > 30
    assert len({found.file for found in FOUND}) == len(FOUND)


def test_the_readme_lists_each_task_with_its_lesson():
    assert "\n".join([*TABLE, ""]) == snippets.rows(FOUND), "run: make snippets"
    assert [task for row in TABLE for task in re.findall(r"\[([^]]+)\]\(snippets/", row)] == [
        found.task for found in FOUND
    ]


def test_the_files_are_those_of_the_lessons():
    files = {path.name: path.read_text("utf-8") for path in snippets.FOLDER.glob("*.py")}
    assert files == {found.file: found.program for found in FOUND}, "run: make snippets"


def test_writing_them_again_removes_what_is_gone_and_renews_the_table(tmp_path, monkeypatch):
    (tmp_path / "snippets").mkdir()
    (tmp_path / "snippets" / "gone.py").touch()
    (tmp_path / "README.md").write_text(f"# Title\n\n{snippets.HEAD}| old |\n\n## Next\n")
    monkeypatch.setattr(snippets, "FOLDER", tmp_path / "snippets")
    monkeypatch.setattr(snippets, "README", tmp_path / "README.md")
    monkeypatch.setattr(snippets.sys, "argv", ["snippets.py"])
    snippets.main()
    assert {path.name for path in (tmp_path / "snippets").iterdir()} == {
        found.file for found in FOUND
    }
    assert (tmp_path / "README.md").read_text("utf-8") == snippets.with_table(
        f"# Title\n\n{snippets.HEAD}\n## Next\n", FOUND
    )


def test_the_table_has_a_row_for_each_lesson_with_snippets():
    links = [
        re.match(r"\| \[\d\d [^]]+\]\(notebooks/(\w+)\.ipynb\) \| \[", row)[1] for row in TABLE
    ]
    assert links == list(dict.fromkeys(found.lesson for found in FOUND))


def test_the_table_is_written_anew_in_its_place():
    old = f"# Title\n\n{snippets.HEAD}| gone | |\n\n## Next\n"
    assert snippets.with_table(old, FOUND[:1]) == (
        f"# Title\n\n{snippets.HEAD}{snippets.rows(FOUND[:1])}\n## Next\n"
    )
    assert snippets.with_table(README, FOUND) == README


def test_each_package_that_a_snippet_names_is_one_of_the_course():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    known = {Requirement(text).name for text in project["dependencies"]}
    named = {name.strip('"').partition("[")[0] for found in FOUND for name in found.packages}
    assert named - known == set()


def is_same(program, source):
    """Whether a program is that of a cell, or prints its last expression, which a notebook shows."""
    here, there = (
        [ast.unparse(node) for node in ast.parse(text).body] for text in (source, program)
    )
    if isinstance(ast.parse(source).body[-1], ast.Expr) and not here[-1].startswith("print("):
        shown = re.sub(r"^await (.+)$", r"asyncio.run(\1)", here[-1])
        here[-1] = f"print({shown})"
    return here == there


def test_each_file_says_what_it_needs_and_holds_the_whole_cell(tmp_path, capsys):
    snippets.export(FOUND, tmp_path / "new")
    assert capsys.readouterr().out == f"{len(FOUND)} snippets are in {tmp_path / 'new'}.\n"
    problems = []
    for found in FOUND:
        text = (tmp_path / "new" / found.file).read_text("utf-8")
        head, _, source = text.partition("\n\n")
        if source != f"{found.shown}\n" or not is_same(text, found.source):
            problems.append(f"{found.file}: another program")
        if ("MISTRAL_API_KEY" in found.source) != ("MISTRAL_API_KEY" in head):
            problems.append(f"{found.file}: the key")
        if not head.startswith(f"# {found.task}.\n# From notebooks/{found.lesson}.ipynb"):
            problems.append(f"{found.file}: the lesson")
    assert problems == []


def test_packages_have_the_names_that_pip_knows():
    source = "import os, httpx_sse.event\nfrom mistralai.client import Mistral\nfrom . import x"
    found = snippets.Snippet("Do it", "01_keys", "01 Keys", "Section", source)
    assert found.packages == ["httpx-sse", "mistralai"]
    assert "# Needs: pip install httpx-sse mistralai\n" in found.program
    assert "MISTRAL_API_KEY" not in found.program
    found = found._replace(source="import mistral_common.tokens, httpx")
    assert '# Needs: pip install httpx "mistral-common[sentencepiece]"\n' in found.program


@pytest.mark.parametrize(
    ("source", "last_line", "silent"),
    [
        ("a = 1\nprint(a)", "print(a)", ""),
        ("a = 1\na + 1", "print(a + 1)", ""),
        ("a = 1\nsum([a, '2'])", "print(sum([a, '2']))", ""),
        ("async def f(): ...\n\n\nawait f()", "print(asyncio.run(f()))", ""),
        ("def f(): ...\n\n\nclass G: ...", "class G: ...", "it defines f and G, for you to call"),
        ("import os", "import os", "it is the start of a program"),
    ],
)
def test_a_file_prints_what_a_notebook_shows_or_says_why_not(source, last_line, silent):
    found = snippets.Snippet("Do it", "01_keys", "01 Keys", "Section", source)
    assert found.program.splitlines()[-1] == last_line
    assert silent in found.silent and bool(silent) == bool(found.silent)
    assert found.remarks == [found.silent] * bool(silent)
    compile(found.program, "program", "exec")
    noted = found._replace(note="A note.")
    assert noted.remarks == ["A note."], "it takes the place of the remark that nothing is printed"
    assert "# A note.\n" in noted.program


def test_headings_in_fenced_code_are_no_sections(tmp_path):
    v4 = nbformat.v4
    cells = [v4.new_markdown_cell("# 01 Keys: all\n\n## Read it\n\n```python\n# a comment\n```")]
    cells += [v4.new_code_cell("1", metadata={"tags": ["snippet"], "task": "Read one"})]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "01_keys.ipynb")
    (found,) = snippets.find_snippets(tmp_path)
    assert (found.title, found.section) == ("01 Keys", "Read it")


def test_cells_with_the_same_task_are_one_program(tmp_path):
    def cell(source, task, **more):
        return v4.new_code_cell(source, metadata={"tags": ["snippet"], "task": task, **more})

    v4 = nbformat.v4
    cells = [v4.new_markdown_cell("# 01 Keys: all\n\n## Read it"), cell("def f(): ...", "Call it")]
    cells += [v4.new_markdown_cell("## Use it"), cell("a = f()", "Call it", note="A note.")]
    cells += [cell("0", "Do nothing"), cell("print(a)", "Call it")]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "01_keys.ipynb")
    called, nothing = snippets.find_snippets(tmp_path)
    assert called.source == "def f(): ...\n\n\na = f()\n\nprint(a)"
    assert (called.section, called.note, nothing.source) == ("Read it", "A note.", "0")


def test_a_snippet_without_a_task_is_an_error(tmp_path):
    cells = [nbformat.v4.new_code_cell("1", metadata={"tags": ["snippet"]})]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "01_keys.ipynb")
    with pytest.raises(KeyError, match="task"):
        snippets.find_snippets(tmp_path)
