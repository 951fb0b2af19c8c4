"""Builds the package, checks it, installs it into empty environments, and runs it there as a newcomer would.

    python release/dist.py [--python python3.13] [--without-demo]

Of each extra for users there is an environment of its own, in which a command that needs it is run; without the extra
the same command has to end with exit code 2. What is told at the end: sizes, and how long imports take.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Sequence

ROOT = pathlib.Path(__file__).parent.parent
DIST = ROOT / "dist"
CONSTRAINTS = ROOT / "constraints.txt"
OF_DEVELOPERS = {"bench", "dist", "docs", "hooks", "test"}
# By extra: a command that needs it. Callbacks have no command: a statement makes one. Where nothing is to be installed
# for a framework's sake but the framework (accelerate's own loops take `babysit.watch`), it is imported.
NEEDS: dict[str, list[str] | str] = {
    "accelerate": "import accelerate",
    "excel": ["fit", "rows.xlsx", "--target", "y", "--seconds", "0", "--plain", "--set", "epochs=2"],
    "export": ["export", "runs/digits-1", "model.onnx"],
    "ignite": "import babysit.adapters; babysit.adapters.IgniteHandler()",
    "keras": "import os; os.environ['KERAS_BACKEND'] = 'torch'; from babysit.adapters import *; KerasCallback()",
    "lightning": "import babysit.adapters; babysit.adapters.LightningCallback()",
    "mcp": ["mcp"],
    "optuna": ["tune", "iris", "--sampler", "tpe", "--trials", "2", "--plain", "--set", "epochs=2"],
    "ray": ["tune", "iris", "--ray", "local", "--trials", "2", "--plain", "--set", "epochs=2"],
    "skorch": "import babysit.adapters; babysit.adapters.SkorchCallback()",
    "transformers": "import babysit.adapters; babysit.adapters.TransformersCallback()",
}
IMPORTS = {
    "import babysit": "import babysit",
    "babysit --help": "from babysit.cli import run; run(['--help'])",
    "torch alone": "import torch",
    "babysit.watch": "import babysit; babysit.watch",
    "babysit.check": "import babysit; babysit.check",
    "babysit.fit": "import babysit; babysit.fit",
}
ROUNDS = 5
MEGABYTE = 1e6


class Environment:
    """A virtual environment outside the checkout, which knows nothing of it.

    Args:
        folder: Where it is made; commands run beside it.
        python: The Python to make it with.
        beneath: Another one whose packages it sees, too, so that they are not installed once more.
    """

    def __init__(self, folder: pathlib.Path, python: str, beneath: Environment | None = None) -> None:
        subprocess.run([python, "-m", "venv", folder], check=True)
        self.folder, self.work = folder, folder.parent
        self.python = folder / "bin" / "python"
        if beneath is not None:
            (self.packages() / "beneath.pth").write_text(f"{beneath.packages()}\n", encoding="utf-8")

    def packages(self) -> pathlib.Path:
        """Its site-packages."""
        return next(self.folder.glob("lib/python*/site-packages"))

    def install(self, what: str) -> None:
        """Install through the constraints."""
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        self.run([*pip, "--constraint", str(CONSTRAINTS), what])

    def babysit(self, arguments: Sequence[str]) -> int:
        """Run the command, told on the terminal. Returns its exit code."""
        print("$ babysit", *arguments, flush=True)
        return self.run([str(self.python), "-m", "babysit", *arguments], check=False)

    def needed(self, what: Sequence[str] | str) -> int:
        """Run a command, or a statement. Returns its exit code."""
        return self.run([str(self.python), "-c", what], check=False) if isinstance(what, str) else self.babysit(what)

    def run(self, command: Sequence[str], check: bool = True) -> int:
        """Run something where the checkout is not to be seen."""
        unset = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        return subprocess.run(command, cwd=self.work, env=unset, check=check, stdin=subprocess.DEVNULL).returncode

    def seconds(self, statement: str) -> float:
        """What a statement takes in a process of its own, beyond Python's own start: the median."""
        return max(0.0, self._started(statement) - self._started("pass"))

    def _started(self, statement: str) -> float:
        taken = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            subprocess.run([self.python, "-c", statement], cwd=self.work, check=True, stdout=subprocess.DEVNULL)
            taken.append(time.perf_counter() - begin)
        return statistics.median(taken)


def build() -> pathlib.Path:
    """Wheel and sdist, checked. Returns the wheel."""
    shutil.rmtree(DIST, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "build", "--outdir", DIST, ROOT], check=True)
    made = sorted(DIST.iterdir())
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *made], check=True)
    (wheel,) = DIST.glob("*.whl")
    subprocess.run([sys.executable, "-m", "check_wheel_contents", wheel], check=True)
    for file in made:
        print(f"{file.name}: {file.stat().st_size / MEGABYTE:.2f} MB")
    return wheel


def try_extras(wheel: pathlib.Path, base: Environment, python: str) -> list[str]:
    """Each extra by itself. Returns what went wrong."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"]) - OF_DEVELOPERS
    wrong = [f"the extra {name} has no command that needs it in NEEDS" for name in sorted(extras - NEEDS.keys())]
    write_sheet(base.work / "rows.xlsx")
    for extra in sorted(extras & NEEDS.keys()):
        command = NEEDS[extra]
        without, usual = base.needed(command), 1 if isinstance(command, str) else 2
        if without != usual:
            wrong.append(f"without the extra {extra}, {command} ended with {without} instead of {usual}")
        own = Environment(base.work / extra, python, base)
        own.install(f"{wheel}[{extra}]")
        ended = own.needed(command)
        if ended != 0:
            wrong.append(f"with the extra {extra}, {command} ended with {ended}")
        print(f"extra {extra}: {size(own.packages()) / MEGABYTE:,.0f} MB more")
        shutil.rmtree(own.folder)
    return wrong


def write_sheet(path: pathlib.Path) -> None:
    """A sheet of 60 rows, x and y, as little of the format as readers ask for."""
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    office = "http://schemas.openxmlformats.org"
    sheets, links = f"{office}/spreadsheetml/2006/main", f"{office}/officeDocument/2006/relationships"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    cells = [("x", "y"), *((str(row), "ab"[row % 2]) for row in range(60))]
    rows = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{c}</t></is></c>' for c in row) + "</row>" for row in cells
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{office}/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/sheet.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{office}/package/2006/relationships">'
        f'<Relationship Id="a" Type="{links}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{sheets}" xmlns:r="{links}"><sheets>'
        '<sheet name="rows" sheetId="1" r:id="a"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{office}/package/2006/relationships">'
        f'<Relationship Id="a" Type="{links}/worksheet" Target="sheet.xml"/></Relationships>',
        "xl/sheet.xml": f'<worksheet xmlns="{sheets}"><sheetData>{rows}</sheetData></worksheet>',
    }
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in parts.items():
            packed.writestr(name, head + text)


def size(folder: pathlib.Path) -> int:
    """Bytes of all files beneath."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def tell_sizes(environment: Environment) -> None:
    """What the installed packages weigh, the heaviest first, and how long imports take."""
    folders = [path for path in environment.packages().iterdir() if path.is_dir() and path.name != "__pycache__"]
    weights = sorted(((size(folder), folder.name) for folder in folders), reverse=True)
    print(f"installed: {sum(weight for weight, _ in weights) / MEGABYTE:,.0f} MB, of which")
    for weight, name in weights[:12]:
        print(f"  {weight / MEGABYTE:7.1f} MB  {name}")
    print(f"  {size(environment.packages() / 'babysit') / MEGABYTE:7.1f} MB  babysit itself")
    for name, statement in IMPORTS.items():
        print(f"  {environment.seconds(statement):7.2f} s   {name} (median of {ROUNDS})")


def main() -> int:
    """Build, check, install, run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the Python to install it into")
    parser.add_argument("--without-demo", action="store_true", help="no demo and no extras: build, install, import")
    asked = parser.parse_args()
    wheel = build()
    with tempfile.TemporaryDirectory() as scratch:
        base = Environment(pathlib.Path(scratch, "environment"), asked.python)
        base.install(str(wheel))
        where = "import babysit, pathlib; print(babysit.__version__, pathlib.Path(babysit.__file__).parent)"
        base.run([str(base.python), "-c", where])
        tell_sizes(base)
        wrong = []
        if not asked.without_demo:
            ended = base.babysit(["demo", "--plain"])
            wrong += [f"babysit demo ended with {ended}"] if ended else []
            wrong += try_extras(wheel, base, asked.python)
    print("\n".join(wrong) or "the package is whole")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
