"""The three files that name packages agree, and what is installed is what they name."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
PINS_TEXT = (ROOT / "requirements.txt").read_text("utf-8")
PINS = [
    Requirement(line.removesuffix("\\").strip())
    for line in PINS_TEXT.splitlines()
    if re.match(r"[a-z0-9]", line)
]
WANTED = [
    Requirement(text)
    for text in [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]
]
HERE = [pin for pin in PINS if not pin.marker or pin.marker.evaluate()]


def test_conda_gives_python_and_pip_the_rest():
    assert set(CONDA) == {"name", "channels", "dependencies"}
    assert CONDA["name"] == PROJECT["project"]["name"]
    python, pip, packages = CONDA["dependencies"]
    assert SpecifierSet(python.removeprefix("python")) == SpecifierSet(
        PROJECT["project"]["requires-python"]
    )
    assert (pip, packages) == ("pip", {"pip": ["-r requirements.txt"]})


def test_makefile_admits_the_same_pythons():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert PROJECT["project"]["requires-python"] == ">=3.11,<3.15"
    assert "(3, 11) <= sys.version_info < (3, 15)" in makefile


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.name)
def test_each_package_is_pinned_and_installed_within_its_bounds(wanted):
    (pin,) = (pin for pin in HERE if canonicalize_name(pin.name) == canonicalize_name(wanted.name))
    (exact,) = pin.specifier
    assert exact.operator == "=="
    assert wanted.specifier.contains(exact.version)
    assert importlib.metadata.version(wanted.name) == exact.version


def test_all_that_is_pinned_is_installed_so():
    installed = {pin.name: importlib.metadata.version(pin.name) for pin in HERE}
    assert {pin.name: str(pin.specifier).removeprefix("==") for pin in HERE} == installed


def test_all_that_is_installed_is_pinned():
    pinned = {canonicalize_name(pin.name) for pin in HERE}
    installed = {
        canonicalize_name(dist.metadata["name"]) for dist in importlib.metadata.distributions()
    }
    assert installed - pinned <= {"pip", "setuptools"}


def test_every_pin_has_hashes_and_none_names_a_host():
    blocks = re.split(r"\n(?=[a-z0-9])", PINS_TEXT.strip())
    assert len(blocks) == len(PINS)
    assert all("--hash=sha256:" in block for block in blocks)
    assert not re.search(r"://|--(extra-)?index-url|--find-links|^-", PINS_TEXT, re.MULTILINE)


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_the_pins_are_enough_for_each_python(version):
    """Resolving offline against the pins alone finds every package a pin needs."""
    names = {canonicalize_name(p.name) for p in PINS if _admits(p.marker, version)}
    missing = {
        canonicalize_name(need.name)
        for pin in HERE
        if _admits(pin.marker, version)
        for need in map(Requirement, importlib.metadata.requires(pin.name) or [])
        if _admits(need.marker, version) and canonicalize_name(need.name) not in names
    }
    assert not missing


def _admits(marker: Marker | None, version: str) -> bool:
    where = {"python_version": version, "python_full_version": f"{version}.9", "extra": ""}
    return marker is None or marker.evaluate(where)


def test_no_file_records_hosts_or_places_of_a_machine():
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = [name for name in tracked.stdout.split("\0") if name]
    assert not {"uv.lock", "pylock.toml"} & {Path(name).name for name in names}
    hosts = (
        "py" + "pi.org",
        "python" + "hosted.org",
        "np" + "mjs",
    )  # in two, to stay out themselves
    places = re.compile("|".join(map(re.escape, hosts)) + r"|/(?:home|Users|root)/")
    for name in names:
        if name != "tests/test_environment.py":  # where the places of a machine stand
            assert not places.search((ROOT / name).read_text("utf-8", errors="replace")), name


def test_it_runs_on_a_python_that_it_admits():
    requires = SpecifierSet(PROJECT["project"]["requires-python"])
    assert requires.contains(".".join(map(str, sys.version_info[:3])))
