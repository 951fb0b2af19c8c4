"""The Ray engine on a real cluster of several nodes on this machine: same numbers as one process, and nothing lost."""

import os
import pathlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from babysit.data import Prepared, prepare
from babysit.record import Recipe, Trial, TrialScore, with_settings
from babysit.search import LocalEngine, RayEngine
from babysit.training import decide

ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

Rungs = list[dict[int, dict[str, Any]]]
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Ray's own, of its own threads and sockets
    pytest.mark.slow,
    pytest.mark.timeout(1200),  # every worker is a process that loads torch
]
STEPS = (20, 60, 120)


class Machines:
    """A head that trains nothing, and nodes with two cores each."""

    def __init__(self) -> None:
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        self.nodes = [self.add(), self.add()]
        self.address = self.cluster.address

    def add(self) -> Any:
        return self.cluster.add_node(num_cpus=2)


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    made = Machines()
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    shut_down: Any = made.cluster.shutdown
    shut_down()


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(Recipe(), "digits")


def trials(prepared: Prepared, count: int = 12) -> list[Trial]:
    made = []
    for number in range(count):
        rate = 10 ** (-4 + 3 * number / count)
        settings = [f"lr={rate}", "architecture=mlp", "widths=[32]", "epochs=20", f"dropout={0.2 * (number % 2)}"]
        made.append(Trial(number, decide(with_settings(Recipe(), settings), prepared)[0]))
    return made


def plain(scores: dict[int, TrialScore]) -> dict[int, dict[str, Any]]:
    return {number: {**asdict(score), "seconds": 0} for number, score in sorted(scores.items())}


def rungs(engine: RayEngine | LocalEngine, made: list[Trial], during: Any = None) -> list[dict[int, dict[str, Any]]]:
    """Three rungs, the better half going on."""
    found, standing = [], made
    for place, step in enumerate(STEPS):
        if during is not None:
            during(place)
        scores = engine.train(standing, step)
        assert sorted(scores) == sorted(trial.number for trial in standing), "each once, none missing"
        found.append(plain(scores))
        best = sorted(scores, key=lambda number: -scores[number].score)[: max(1, len(standing) // 2)]
        standing = [trial for trial in standing if trial.number in best]
    return found


@pytest.fixture(scope="module")
def expected(machines: Machines, prepared: Prepared) -> Rungs:
    """What one worker finds."""
    engine = RayEngine(prepared, address="auto", workers=1, shard=3)
    found = rungs(engine, trials(prepared))
    engine.close()
    return found


def test_four_workers_find_the_same(machines: Machines, prepared: Prepared, expected: Rungs) -> None:
    engine = RayEngine(prepared, address="auto", shard=3)
    assert rungs(engine, trials(prepared)) == expected
    assert engine.decisions()[0].value == "4"
    engine.close()


def test_workers_killed_in_every_rung(machines: Machines, prepared: Prepared, expected: Rungs) -> None:
    engine = RayEngine(prepared, address="auto", workers=2, shard=3)
    killed = []

    def kill_one(place: int) -> None:
        def later() -> None:
            while not engine._workers:
                time.sleep(0.05)
            worker = next(iter(engine._workers.values()))
            ray.kill(worker)
            killed.append(place)

        # Soon: a rung may be over in a fifth of a second.
        threading.Timer(0.02, later).start()

    assert rungs(engine, trials(prepared), kill_one) == expected
    assert len(killed) >= 2
    assert "were lost on the way" in engine.decisions()[0].why
    engine.close()


def test_a_node_goes_and_another_comes(machines: Machines, prepared: Prepared, expected: Rungs) -> None:
    engine = RayEngine(prepared, address="auto", shard=3)

    def move(place: int) -> None:
        if place == 0:
            gone = machines.nodes.pop()
            threading.Timer(1.0, lambda: machines.cluster.remove_node(gone, allow_graceful=False)).start()
        elif place == 1:
            machines.nodes.append(machines.add())

    assert rungs(engine, trials(prepared), move) == expected
    engine.close()


def test_states_pass_between_processes_and_clusters(machines: Machines, prepared: Prepared) -> None:
    made = trials(prepared, 8)
    here = LocalEngine(prepared, device="cpu", layout="stacked")
    there = RayEngine(prepared, address="auto", shard=100)
    assert plain(here.train(made, 40)) == plain(there.train(made, 40))
    # Each goes on from the other's state.
    state = there.state()
    again = LocalEngine(prepared, device="cpu", layout="stacked")
    again.restore(state)
    over = RayEngine(prepared, address="auto", shard=100)
    over.restore(here.state())
    assert plain(again.train(made, 100)) == plain(over.train(made, 100)) == plain(here.train(made, 100))
    assert here.weights(3) == over.weights(3)
    for engine in (there, over):
        engine.close()


DRIVER = """
import sys, babysit
study = sys.argv[1]
if sys.argv[2] == "begin":
    tuned = babysit.tune("iris", trials=6, generations=2, winners=1, repeats=1, settings=["epochs=20"], out=study,
                         ray="auto")
else:
    tuned = babysit.resume(study, ray="auto")
print(tuned.result.winners[0].scores)
"""


def test_the_driver_is_killed_and_goes_on(machines: Machines, tmp_path: pathlib.Path) -> None:
    import subprocess
    import sys

    from babysit.record import Study

    environment = {**os.environ, "RAY_ADDRESS": machines.address, "OMP_NUM_THREADS": "1"}

    def run(name: str, verb: str, kill_after: int | None = None) -> str:
        path = tmp_path / name
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(path), verb], env=environment, stdout=subprocess.PIPE, text=True
        )
        if kill_after is not None:
            while not (path.exists() and len(Study(path).rungs()) >= kill_after) and process.poll() is None:
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
        out, _ = process.communicate(timeout=280)
        return out

    whole = run("whole", "begin")
    run("killed", "begin", kill_after=2)
    kept = len(Study(tmp_path / "killed").rungs())
    assert kept >= 2
    assert run("killed", "resume") == whole
    one, other = Study(tmp_path / "whole"), Study(tmp_path / "killed")
    assert one.trials() == other.trials()
    numbers = [trial.number for trial in other.trials()]
    assert len(numbers) == len(set(numbers)), "none counted twice"
