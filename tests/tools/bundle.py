"""Packs the course for machines without a network: the repository and the packages it needs.

Run by `make bundle`; needs the network. build/bundle/ then holds `course`, a clone, `wheels`, and
INSTALL.txt, which says what to type on each system.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "build" / "bundle"
# Tags of wheels, newest first, and what the markers of a requirement ask for.
PLATFORMS = {
    "windows-x64": (["win_amd64"], "win32", "Windows", "AMD64"),
    "macos-arm64": (["macosx_14_0_arm64"], "darwin", "Darwin", "arm64"),
    "macos-x64": (["macosx_14_0_x86_64"], "darwin", "Darwin", "x86_64"),
    "linux-x64": (["manylinux_2_28_x86_64", "manylinux2014_x86_64"], "linux", "Linux", "x86_64"),
    "linux-arm64": (
        ["manylinux_2_28_aarch64", "manylinux2014_aarch64"],
        "linux",
        "Linux",
        "aarch64",
    ),
}
INSTALL = """\
Copy this folder to the machine. Nothing here needs a network. Python must be one of: {pythons}

Linux and macOS, in the folder `course`:

    make lab WHEELS=../wheels

Windows, in PowerShell, in the folder `course`:

    py -m venv .venv
    .venv\\Scripts\\pip install --no-compile --no-index --find-links ..\\wheels -r requirements.txt
    .venv\\Scripts\\jupyter lab

To check a machine: `make preflight`, or on Windows `.venv\\Scripts\\python -m helpers`.
"""


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser.add_argument("--platforms", nargs="+", choices=PLATFORMS, help="default: this machine")
    parser.add_argument("--pythons", nargs="+", default=[here], help=f"default: {here}")
    args = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    (wheels := FOLDER / "wheels").mkdir(parents=True)
    clone()
    for platform in args.platforms or [None]:
        for python in args.pythons:
            print(f"{platform or 'this machine'}, Python {python} ...", flush=True)
            download(wheels, platform, python)
    (FOLDER / "INSTALL.txt").write_text(INSTALL.format(pythons=", ".join(args.pythons)), "utf-8")
    size = sum(path.stat().st_size for path in wheels.iterdir())
    print(f"{FOLDER.relative_to(ROOT)}: {len(list(wheels.iterdir()))} wheels, {size / 1e6:,.0f} MB")


def clone():
    """A clone of what is committed, so that `make reset` also works there."""
    course = FOLDER / "course"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", ROOT.as_uri(), course], check=True)
    subprocess.run(["git", "remote", "remove", "origin"], cwd=course, check=True)


def pins(environment):
    """The pinned packages of the lessons, and uv, which installs them, for a platform."""
    names = {"uv"}
    for file in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / file).read_text("utf-8").replace("\\\n", "")
        for line in text.splitlines():
            if line and not line.startswith(("#", " ")):
                pin = Requirement(line.partition(" --hash")[0].strip())
                wanted = pin.marker is None or pin.marker.evaluate(environment)
                if wanted and (file == "requirements.txt" or pin.name in names):
                    yield f"{pin.name}{pin.specifier}"


def download(wheels, platform, python):
    """Add the wheels of all pins for a platform, None for this machine, and a version of Python."""
    environment, options = {}, []
    if platform:
        tags, sys_platform, system, machine = PLATFORMS[platform]
        options += [part for tag in tags for part in ("--platform", tag)]
        environment = {
            "sys_platform": sys_platform,
            "platform_system": system,
            "platform_machine": machine,
            "os_name": "nt" if system == "Windows" else "posix",
        }
    done = set()
    # A few packages need another version on the first releases of a Python.
    for release in (f"{python}.99", f"{python}.0"):
        now = environment | {"python_version": python, "python_full_version": release}
        wanted = set(pins(now)) - done
        if wanted and not fetched(wanted, wheels, [*options, "--python-version", release]):
            sys.exit("Some packages can't be downloaded: this needs a network, and a wheel each.")
        done |= wanted


def fetched(wanted, wheels, options):
    """Download these pins; whether all could be had."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", wheels, *options]
    return not subprocess.run(
        [*command, *sorted(wanted)], env=os.environ | {"PIP_USER": "0"}
    ).returncode


main()
