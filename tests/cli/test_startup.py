"""What must answer at once: help, version, a wrong command, recipes. None of it imports torch."""

import json
import subprocess
import sys
import textwrap

import pytest

import babysit
from babysit.cli import run
from babysit.cli._app import VERBS
from babysit.cli._doors import DOORS, GROUPS
from babysit.record import load_recipe, parse_recipe


def modules_after(statement: str) -> tuple[set[str], str, str]:
    """Modules loaded by a statement in a fresh process, and what it wrote to stdout and stderr."""
    program = textwrap.dedent(f"""
        import contextlib, io, json, sys
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.suppress(SystemExit):
            {statement}
        print(json.dumps([sorted(sys.modules), out.getvalue(), err.getvalue()]))
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules, out, err = json.loads(done.stdout)
    return set(modules), out, err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        [],
        ["--version"],
        ["ft"],
        ["fit", "--help"],
        ["fit", "--nonsense"],
        ["recipe"],
        ["report", "nowhere"],
    ],
    ids=" ".join,
)
def test_no_torch_is_imported(arguments: list[str]) -> None:
    modules, out, err = modules_after(f"from babysit.cli import main; main({arguments!r})")
    assert out or err
    assert "torch" not in modules


def test_a_report_says_what_remedies_do_without_torch() -> None:
    modules, out, _ = modules_after(
        "from babysit.record import Finding, Remedy; from babysit.reports import print_findings;"
        " from rich.console import Console;"
        " print_findings([Finding('x', 'sick', remedies=(Remedy('clear-gradients'),))], Console(width=100))"
    )
    assert "torch" not in modules
    assert "try: clear-gradients: " in out


def test_importing_babysit_imports_nothing_heavy() -> None:
    modules, _, _ = modules_after("import babysit; dir(babysit)")
    assert not modules & {"torch", "numpy", "polars", "pydantic", "sklearn", "plotly"}


def test_every_public_name_loads() -> None:
    for name in babysit.__all__:
        assert getattr(babysit, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = babysit.nonsense


def test_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    for verb in ("demo", "evaluate", "export", "fit", "predict", "recipe", "report"):
        assert f" {verb} " in text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == babysit.__version__


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["ft"], "fit"),
        (["fit", "iris", "--targt", "x"], "--targt"),
        (["fit"], "no data was given"),
        (["fit", "iris", "--set", "lr"], "key=value"),
        (["fit", "iris", "--set", "lr=fast"], "optimizer.lr"),
        (["fit", "iris", "--recipe", "lectur"], "--recipe lecture"),
        (["resume", "nowhere"], "no Run folder nowhere"),
        (["resume"], "FOLDER"),
        (["report", "nowhere"], "no Run folder nowhere"),
        (["recipe", "nothing"], "no recipe 'nothing'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_clear_error_and_exit_code_2(
    arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert part in captured.err
    assert "Traceback" not in captured.err


def test_recipe_prints_what_can_be_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["recipe", "lecture", "--set", "lr=0.01"]) == 0
    recipe = parse_recipe(capsys.readouterr().out)
    assert recipe.optimizer.lr == 0.01
    assert recipe.model == load_recipe("lecture").model
    assert run(["recipe", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == 1


def test_a_reader_that_leaves_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -m babysit recipe | head -n 1", shell=True, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("# A babysit recipe")
    assert done.stderr == ""


def test_babysit_alone_shows_three_doors_and_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    told = capsys.readouterr().out
    for _, command, _ in DOORS:
        assert command in told
        verb, subject = command.split()[1:3]
        assert verb in VERBS
        assert subject
    assert [verb for verb in VERBS if f"\n  {verb} " not in told] == []
    assert {verb for verbs in GROUPS.values() for verb in verbs} <= VERBS.keys()
