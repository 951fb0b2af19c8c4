"""Programs of many kinds, run plainly and watched: the same output, and what is seen of them."""

import contextlib
import io
import pathlib
import subprocess
import sys
from dataclasses import dataclass

import pytest

import babysit
from babysit.record import silent
from babysit.scripts import Script, run_script

PROGRAMS = pathlib.Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Seen:
    """What a watched run must have seen."""

    steps: int
    layers: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    unseen: str = ""
    ended: str = "finished"


EXPECTED = {
    "accumulation": Seen(24, ("0", "1", "2", "3"), (("epochs", "4"), ("steps-per-epoch", "6"), ("rows", "192"))),
    "bare_tensors": Seen(30, (), (("loss", "bce-with-logits"),), "no torch.nn.Module is called"),
    "compiled": Seen(8, (), (("loss", "cross-entropy"),), "it is compiled"),
    "crashing": Seen(3, ("",), (), "", "failed"),
    "encoder_decoder": Seen(15, ("encoder.0", "encoder.1", "decoder")),
    "gan": Seen(40, ("0", "1", "2"), (), "discriminator is trained, too, and not measured: generator is"),
    "lbfgs": Seen(6, ("0", "1", "2"), (("optimizer", "lbfgs"),)),
    "mixed_precision": Seen(12, ("0", "1", "2", "3")),
    "recurrent": Seen(15, ("letters", "gru", "out")),
    "scaled_loss": Seen(12, ("0", "1", "2")),
    "stepped_by_hand": Seen(20, ("0", "1", "2"), (), "something else than torch.optim"),
    "two_trainings": Seen(6, ("0", "1", "2"), (), "is trained, too, and not measured"),
}
FORKING = {"forking": 3, "spawning": 0}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_program_is_seen_and_left_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path, seen = PROGRAMS / f"{name}.py", EXPECTED[name]
    plain = run_script(Script(str(path)))
    alone = capsys.readouterr().out
    done = babysit.run(path, overhead=None, progress=silent)
    assert capsys.readouterr().out == alone
    assert (done.ended, done.code) == (seen.ended, plain.code)
    assert done.steps == seen.steps
    assert {layer.name for layer in done.trace.layers if layer.kind != "function"} == set(seen.layers)
    assert set(seen.facts) <= set(done.trace.facts.items())
    told = " ".join(event.text for event in done.trace.happened("unseen"))
    assert seen.unseen in told if seen.unseen else not told
    losses = done.trace.series("loss").values
    assert len(losses) == seen.steps
    assert all(abs(loss) < 10 for loss in losses), "a scaled loss is told as it is"
    assert [finding.name for finding in done.findings if finding.severity == "sick"] == (
        ["batch-fails"] if name == "crashing" else []
    )


def test_every_program_is_expected() -> None:
    assert {path.stem for path in PROGRAMS.glob("*.py")} == {*EXPECTED, *FORKING}


# What is spawned imports torch anew, one process after the other.
@pytest.mark.parametrize("name", ["forking", pytest.param("spawning", marks=pytest.mark.slow)])
@pytest.mark.skipif(sys.platform != "linux", reason="it forks")
def test_processes_of_the_script_are_its_own(name: str, tmp_path: pathlib.Path) -> None:
    """In processes of their own: a forked child ends as the script's, and imports of spawned ones work."""
    command = [sys.executable, str(PROGRAMS / f"{name}.py")]
    plain = subprocess.run(command, capture_output=True, text=True, check=False)
    trace = tmp_path / "trace.sqlite"
    command[1:1] = ["-m", "babysit", "run", "--keep", str(trace)]
    watched = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (watched.stdout, watched.returncode) == (plain.stdout, plain.returncode), watched.stderr
    assert plain.returncode == FORKING[name]
    assert plain.stderr.count("__mp_main__") == watched.stderr.count("__mp_main__")
    assert watched.stderr.count("babysit: ") == 1
    assert len(babysit.record.read_trace(trace).series("loss").values) == 4


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="it forks")
def test_a_bare_fork_that_ends_the_script_tells_nothing(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(
        "import atexit, os, sys, torch\n"
        "net = torch.nn.Linear(2, 1)\n"
        "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\n"
        "net(torch.ones(3, 2)).mean().backward()\n"
        "optimizer.step()\n"
        "sys.stdout.flush()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    atexit.register(print, 'the child says goodbye')\n"
        "    net(torch.ones(3, 2)).mean().backward()\n"
        "    sys.exit(7)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    command = [sys.executable, "-W", "ignore", "-m", "babysit", "run", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["the child says goodbye", "7"], done.stderr
    assert done.stderr.count("babysit: ") == 1


def test_what_is_left_of_the_seam_is_nothing() -> None:
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer
    from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks
    from torch.utils.data import DataLoader

    def all_of_it() -> list[object]:
        held: list[object] = [nn.Module.__call__, Optimizer.__init__, DataLoader.__iter__, torch.autograd.backward]
        held += [nn.functional.cross_entropy, Tensor.__getitem__, Tensor.__eq__, torch.eq]
        held += [name in vars(Tensor) for name in ("__getitem__", "__eq__", "eq")]
        return [*held, *_global_optimizer_pre_hooks, *_global_optimizer_post_hooks]

    before = all_of_it()
    for name in ("accumulation", "crashing"):
        with contextlib.redirect_stdout(io.StringIO()):
            babysit.run(PROGRAMS / f"{name}.py", progress=silent)
        assert all_of_it() == before
