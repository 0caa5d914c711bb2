"""The three files that name packages agree, and what is installed is what they name."""

import ast
import importlib.metadata
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))


def read_pins(file):
    return [
        Requirement(line.removesuffix("\\").strip())
        for line in (ROOT / file).read_text("utf-8").splitlines()
        if re.match(r"[a-z0-9]", line)
    ]


# All packages, and those that the lessons need.
PINS, LESSON_PINS = read_pins("requirements-dev.txt"), read_pins("requirements.txt")
WANTED = [
    Requirement(text)
    for text in [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
]
# These run in environments of their own, which `make` fills.
INSTALLED_ELSEWHERE = (
    "tests/benchmarks/many_machines.py",
    "tests/benchmarks/fuzz.py",
    "tests/benchmarks/next_token.py",
    "tests/benchmarks/other_tokenizers.py",
    "tests/benchmarks/shared_limit.py",
    "tests/benchmarks/valkey_server.py",
    "tests/clients/ask.py",
)
HERE = [pin for pin in PINS if not pin.marker or pin.marker.evaluate()]


def name_of(requirement):
    return canonicalize_name(requirement.name)


def test_conda_gives_python_and_pip_the_rest():
    assert set(CONDA) == {"name", "channels", "dependencies"}
    assert CONDA["name"] == PROJECT["project"]["name"]
    python, pip, packages = CONDA["dependencies"]
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(
        PROJECT["project"]["requires-python"]
    )
    (pins, *names) = packages["pip"]
    assert (pip, list(packages), pins) == ("pip", ["pip"], "-r requirements.txt")
    project = [Requirement(text).name for text in PROJECT["project"]["dependencies"]]
    assert names == project, "the names of pyproject.toml, without bounds"
    assert {canonicalize_name(name) for name in names} <= {name_of(pin) for pin in PINS}


def test_the_makefile_admits_the_same_pythons():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert PROJECT["project"]["requires-python"] == ">=3.11,<3.15"
    assert "ADMITTED := (3, 11) <= sys.version_info < (3, 15)\n" in makefile


def test_each_package_is_pinned_and_installed_within_its_bounds():
    problems = []
    for wanted in WANTED:
        (pin,) = (pin for pin in HERE if name_of(pin) == name_of(wanted))
        (exact,) = pin.specifier
        installed = importlib.metadata.version(wanted.name)
        if exact.operator != "==" or not wanted.specifier.contains(exact.version):
            problems.append(f"{wanted}: pinned as {pin}")
        if installed != exact.version:
            problems.append(f"{pin}: {installed} is installed")
    assert problems == []


@pytest.mark.slow
def test_each_imported_package_is_wanted_by_name():
    """So none is there only because another package happens to need it."""
    problems, wanted = [], {name_of(requirement) for requirement in WANTED}
    wanted |= {canonicalize_name(extra) for requirement in WANTED for extra in requirement.extras}
    by_module = importlib.metadata.packages_distributions()
    groups = PROJECT["dependency-groups"]
    elsewhere = {name.replace("-", "_") for name in [*groups["minilm"], *groups["local"]]}
    for place, module in imported_modules():
        if place.startswith(INSTALLED_ELSEWHERE):
            continue
        names = {canonicalize_name(name) for name in by_module.get(module, [])}
        # The core of pydantic has its version; it is not for us to choose.
        names = {"pydantic"} if names == {"pydantic-core"} else names
        if not names & wanted and module not in elsewhere:
            problems.append(f"{place} imports {module}")
    assert problems == []


def imported_modules():
    """(file, top module) of each import of another project."""
    own = {"helpers", "exercises", "tests", "book", "conftest", *sys.stdlib_module_names}
    for place, source in sources():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names:
                if (module := name.partition(".")[0]) not in own:
                    yield place, module


def sources():
    """(file, source) of every module and of every cell."""
    modules = (ROOT.glob(f"{folder}/**/*.py") for folder in ("helpers", "tests", "book"))
    for path in [*itertools.chain(*modules), ROOT / "conftest.py"]:
        yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")
    for path in ROOT.glob("notebooks/*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "code":
                lines = cell.source.splitlines()
                code = "\n".join(line for line in lines if not line.startswith(("%", "!")))
                yield f"{path.name}, {cell.id}", code


def test_all_that_is_pinned_is_installed_so():
    installed = {pin.name: importlib.metadata.version(pin.name) for pin in HERE}
    assert {pin.name: str(pin.specifier).removeprefix("==") for pin in HERE} == installed


def test_all_that_is_installed_is_pinned():
    pinned = {name_of(pin) for pin in HERE}
    installed = {
        canonicalize_name(dist.metadata["name"]) for dist in importlib.metadata.distributions()
    }
    assert installed - pinned <= {"pip", "setuptools"}


def test_lessons_need_a_part_of_all_pins_at_the_same_versions():
    everything = {name_of(pin): str(pin.specifier) for pin in PINS}
    lessons = {name_of(pin): str(pin.specifier) for pin in LESSON_PINS}
    assert lessons.items() <= everything.items()
    assert not {"mypy", "ruff", "pytest-cov", "dask", "uv"} & lessons.keys()
    wanted = {name_of(Requirement(text)) for text in PROJECT["project"]["dependencies"]}
    assert wanted <= lessons.keys()


def test_no_pin_lacks_a_wheel_for_intel_macs():
    """`make pins` asks the network for all machines; this keeps what it found in 2026-11."""
    pinned = {name_of(pin): str(pin.specifier) for pin in PINS}
    assert pinned["argon2-cffi-bindings"] != "==26.2.0"
    assert pinned["sentencepiece"] != "==0.2.3"


@pytest.mark.parametrize(
    "name",
    [
        "requirements.txt",
        "requirements-dev.txt",
        "book/requirements.txt",
        "tests/tools/local.txt",
        "tests/tools/minilm.txt",
    ],
)
def test_every_pin_has_hashes_and_none_names_a_host(name):
    text = (ROOT / name).read_text("utf-8")
    blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert all(re.match(r"[\w.-]+==", block) and "--hash=sha256:" in block for block in blocks)
    assert not re.search(r"://|--(extra-)?index-url|--find-links|^-", text, re.MULTILINE)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_the_pins_are_enough_for_each_python(version):
    """Resolving offline against the pins alone finds every package a pin needs."""
    names = {name_of(pin) for pin in PINS if admits(pin.marker, version)}
    missing = {
        name_of(need)
        for pin in HERE
        if admits(pin.marker, version)
        for need in map(Requirement, importlib.metadata.requires(pin.name) or [])
        if admits(need.marker, version) and name_of(need) not in names
    }
    assert not missing


def admits(marker: Marker | None, version: str) -> bool:
    where = {"python_version": version, "python_full_version": f"{version}.9", "extra": ""}
    return marker is None or marker.evaluate(where)


def tracked_files():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]


def test_no_file_records_hosts_or_places_of_a_machine():
    names = tracked_files()
    assert not {"uv.lock", "pylock.toml"} & {Path(name).name for name in names}
    # In two, to stay out themselves.
    hosts = ("py" + "pi.org", "python" + "hosted.org", "np" + "mjs")
    places = re.compile("|".join(map(re.escape, hosts)) + r"|/(?:home|Users|root)/")
    # This file holds the pattern.
    texts = ((name, (ROOT / name).read_text("utf-8", errors="replace")) for name in names)
    own = Path(__file__).relative_to(ROOT).as_posix()
    assert [name for name, text in texts if places.search(text) and name != own] == []


def test_a_clone_for_windows_has_the_same_bytes(tmp_path):
    """Git for Windows sets core.autocrlf, which would change counts of characters."""
    clone = tmp_path / "clone"
    command = ["git", "clone", "--quiet", "--config", "core.autocrlf=true", ROOT, clone]
    subprocess.run(command, check=True, capture_output=True)
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "-z", "HEAD"],
        cwd=clone,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split(maxsplit=3) for line in listed.stdout.split("\0") if line]
    hashed = subprocess.run(
        ["git", "hash-object", "--no-filters", "--stdin-paths"],
        cwd=clone,
        input="\n".join(name for *_, name in rows),
        capture_output=True,
        text=True,
        check=True,
    )
    stored = {name: blob for _, _, blob, name in rows}
    found = dict(zip(stored, hashed.stdout.split(), strict=True))
    assert [name for name in stored if stored[name] != found[name]] == []


def test_this_python_is_one_that_the_course_admits():
    requires = SpecifierSet(PROJECT["project"]["requires-python"])
    assert requires.contains(".".join(map(str, sys.version_info[:3])))
