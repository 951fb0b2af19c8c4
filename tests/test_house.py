"""The house: who may import whom, how long a file may be, what a package shows."""

import ast
import importlib
import inspect
import pathlib

import pytest

HOUSE = pathlib.Path(__file__).parent.parent / "src" / "babysit"
ORDER = (
    "record data nn probes diseases training remedies rehearsal scripts search reports lessons adapters api cli".split()
)  # fmt: skip
# Rooms that must open without torch: the recipe is checked, a page is drawn and help is printed without it.
WITHOUT_TORCH = {"record", "diseases", "reports"}
READS_ONLY_RECORD = {"diseases", "reports"}
NO_ROOM_FOR = {"utils", "core", "common", "helpers", "misc"}
LONGEST_FILE = 500
TWICE: set[str] = set()  # class names that are still used twice: take one out when it is gone, put none in
FILES = sorted(HOUSE.rglob("*.py"))


def imported(tree: ast.AST) -> set[str]:
    """Every module a file imports, also inside functions and under TYPE_CHECKING."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the direction"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room(path: pathlib.Path) -> str:
    parts = path.relative_to(HOUSE).parts
    return parts[0] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_imports_only_point_up(path: pathlib.Path) -> None:
    own = room(path)
    if not own:
        return
    for name in imported(ast.parse(path.read_text())):
        if not name.startswith("babysit."):
            continue
        other = name.split(".")[1]
        if other in ORDER:
            assert ORDER.index(other) <= ORDER.index(own), f"{own} may not import {other}"
            if other != own:
                private = [part for part in name.split(".")[2:] if part.startswith("_")]
                assert not private, f"{own} reaches into a private file of {other}: {name}"
            if own in READS_ONLY_RECORD:
                assert other in {own, "record"}, f"{own} reads record only, not {other}"


def test_nobody_imports_by_the_way_of_the_top() -> None:
    """`import babysit` and `from babysit import fit` reach every package: only the last one may, for typing as well."""
    allowed = {f"babysit.{other}" for other in ORDER} | {"babysit.__version__"}
    for path in FILES:
        if room(path) in ("", ORDER[-1]):
            continue
        tree = ast.parse(path.read_text())
        asked = {name for name in imported(tree) if name.startswith("babysit.") and name.count(".") == 1}
        plainly = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert asked <= allowed, f"{path}: import from the package that has it: {sorted(asked - allowed)}"
        assert "babysit" not in plainly, f"{path}: import the package that has it, not the top"


def test_a_class_has_its_name_for_itself() -> None:
    where: dict[str, set[str]] = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                where.setdefault(node.name, set()).add(str(path.relative_to(HOUSE)))
    twice = {name: sorted(files) for name, files in where.items() if len(files) > 1}
    assert set(twice) <= TWICE, f"one name, one class: {twice}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_no_torch_where_none_belongs(path: pathlib.Path) -> None:
    if room(path) in WITHOUT_TORCH:
        assert not {name for name in imported(ast.parse(path.read_text())) if name.split(".")[0] == "torch"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOUSE)))
def test_files_hold_one_idea(path: pathlib.Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE
    assert path.stem.strip("_") not in NO_ROOM_FOR
    if room(path):
        assert path.stem.startswith("_"), "packages are public, files private"


def files_imported() -> dict[str, set[str]]:
    """By module, the modules of babysit that its file imports, for typing only or not."""
    trees = {
        ".".join(("babysit", *path.relative_to(HOUSE).with_suffix("").parts)).removesuffix(".__init__"): ast.parse(
            path.read_text()
        )
        for path in FILES
    }
    found: dict[str, set[str]] = {name: set() for name in trees}
    for name, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                # Of `from package import module` the module alone is meant.
                full = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= full & trees.keys() or {str(node.module)}
    return {name: others & trees.keys() - {name} for name, others in found.items()}


def test_files_do_not_import_each_other_in_circles() -> None:
    """Files are taken away that import nothing of what is left; what stays is a circle, or imports one."""
    left = files_imported()
    while free := {name for name, others in left.items() if not others & left.keys()}:
        left = {name: others for name, others in left.items() if name not in free}
    assert not left, f"files that import each other in a circle, or import those that do: {sorted(left)}"


def test_every_room_is_in_the_list() -> None:
    rooms = {path.parent.name for path in HOUSE.glob("*/__init__.py")}
    assert rooms <= set(ORDER)


@pytest.mark.parametrize("name", [*sorted({room(path) for path in FILES} - {""}), ""])
def test_exports_are_sorted_and_exist(name: str) -> None:
    module = importlib.import_module(f"babysit.{name}" if name else "babysit")
    exported = list(module.__all__)
    assert exported == sorted(exported)
    assert len(exported) == len(set(exported))
    for symbol in exported:
        value = getattr(module, symbol)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert value.__doc__, f"{symbol} has no docstring"
