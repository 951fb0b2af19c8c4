"""Installs the oldest versions that pyproject.toml allows into an environment of its own, and runs core tests there.

    python release/lower_bounds.py [--python python3.11] [--keep FOLDER] [--only-pins] [TEST ...]

What babysit depends on stands at its lower bound, the tools that run the tests at what constraints.txt pins. Whatever
fails says that a bound is too low: raise it in pyproject.toml to what was seen to work.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).parent.parent
REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[.*\])?>=(?P<version>[0-9.]+)$")
TOOLS = ("hypothesis", "jsonschema", "pyarrow", "pytest", "pytest-timeout", "xlsxwriter")
# What reads and computes with each of the dependencies; browsers, frameworks and clusters are not the core.
CORE = """
    tests/record tests/diseases tests/nn tests/probes tests/training/test_loop.py tests/training/test_cohort.py
    tests/data/test_csv.py tests/data/test_formats.py tests/data/test_prepare.py tests/data/test_images.py
    tests/remedies/test_registry.py tests/reports/test_figures.py tests/reports/test_terminal.py
    tests/scripts/test_edits.py tests/scripts/test_run_programs.py tests/cli/test_startup.py tests/cli/test_verbs.py
    tests/api/test_fit.py tests/api/test_watch.py tests/rehearsal/test_pre_flight.py tests/test_house.py
""".split()


def lowest(requirements: list[str]) -> dict[str, str]:
    """By package, the lowest version that is allowed.

    Raises:
        ValueError: A requirement has no lower bound.

    Example:
        >>> lowest(["torch>=2.6", "numpy>=1.26"])
        {'torch': '2.6', 'numpy': '1.26'}
    """
    bounds = {}
    for requirement in requirements:
        match = REQUIREMENT.match(requirement)
        if match is None:
            raise ValueError(f"{requirement!r} in pyproject.toml has no lower bound of the form NAME>=VERSION")
        bounds[match["name"]] = match["version"]
    return bounds


def pins() -> list[str]:
    """A constraint a line: dependencies at their lowest, and the tools of the tests as they are pinned."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = lowest(project["dependencies"])
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split())
    return [f"{name}=={version}" for name, version in bounds.items()] + [f"{name}=={pinned[name]}" for name in TOOLS]


def main() -> int:
    """Make the environment, install, test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the Python to make the environment with")
    parser.add_argument("--keep", help="the folder of the environment, kept and used again")
    parser.add_argument("--only-pins", action="store_true", help="print the versions, install nothing")
    parser.add_argument("tests", nargs="*", help="tests in the place of the core tests")
    asked = parser.parse_args()
    if asked.only_pins:
        print("\n".join(pins()))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        environment = pathlib.Path(asked.keep or scratch, "environment")
        python = environment / "bin" / "python"
        if not python.exists():
            subprocess.run([asked.python, "-m", "venv", environment], check=True)
        file = pathlib.Path(scratch, "lowest.txt")
        file.write_text("\n".join(pins()), encoding="utf-8")
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--constraint", file, "--editable", ROOT, *TOOLS], check=True
        )
        subprocess.run([python, "-m", "pip", "list", "--format", "freeze"], check=True)
        # Old versions warn of what later ones changed; what counts here is whether they work.
        command = [str(python), "-m", "pytest", "-q", "-m", "not slow", "-W", "default", "-p", "no:cacheprovider"]
        tests = asked.tests or CORE
        return subprocess.run(
            [*command, *tests], cwd=ROOT, env={**os.environ, "PYTHONPATH": ""}, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
