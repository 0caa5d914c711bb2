"""Prints for which machines and Pythons every pin has a wheel: nobody should need a compiler.

Run by `make pins`; needs the network.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PLATFORMS = {
    "Windows x64": "x86_64-pc-windows-msvc",
    "macOS arm64": "aarch64-apple-darwin",
    "macOS x64": "x86_64-apple-darwin",
    "Linux x64": "x86_64-unknown-linux-gnu",
    "Linux arm64": "aarch64-unknown-linux-gnu",
}
UV = shutil.which("uv", path=Path(sys.executable).parent)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def missing(platform, python):
    """The pins without a wheel there, as uv names them; "" if all have one."""
    with tempfile.TemporaryDirectory() as folder:
        where = f"--python-platform {platform} --python-version {python} --target".split()
        command = [UV, "pip", "install", "--dry-run", "--no-deps", "--only-binary", ":all:"]
        command += [*where, folder, "--requirements", ROOT / "requirements-dev.txt"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    names = dict.fromkeys(re.findall(r"([\w.-]+==[\w.]+) has no usable wheels", done.stderr))
    return ", ".join(names) or done.stderr.strip()


def main():
    print("Wheels".ljust(12), *(f"{python:>6}" for python in PYTHONS))
    problems = []
    for name, platform in PLATFORMS.items():
        found = [missing(platform, python) for python in PYTHONS]
        print(name.ljust(12), *(f"{'none' if one else 'all':>6}" for one in found), flush=True)
        pairs = zip(PYTHONS, found, strict=True)
        problems += [f"{name}, Python {python}: {one}" for python, one in pairs if one]
    if problems:
        sys.exit("\n".join(["Without a wheel:", *problems]))


main()
