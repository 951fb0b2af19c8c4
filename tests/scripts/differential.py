"""Runs generated programs plainly and in every way that babysit watches, each in a fork of its own, and compares.

As a program: python tests/scripts/differential.py FIRST COUNT [--compiled]; prints a line of JSON for each difference.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import pathlib
import sys
import tempfile
import traceback
import warnings
from typing import Any

import torch
import torch._dynamo

import babysit
from babysit.probes._forward import ForwardProbe
from babysit.probes._modes import Modes
from babysit.probes._pending import Pending
from babysit.probes._step_losses import StepLosses
from babysit.probes._step_probe import StepProbe
from babysit.probes._weights import WeightProbe
from babysit.scripts import Script, run_script
from babysit.scripts._answers_seen import AnswersSeen
from babysit.scripts._epochs_seen import EpochsSeen
from babysit.scripts._faults_seen import FaultsSeen

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
from tests.scripts.generated_programs import generate

# Everything of babysit's own that a training calls, directly or not.
OURS: list[tuple[type, str]] = [
    (AnswersSeen, "begin_evaluation"),
    (EpochsSeen, "stepped"),
    (FaultsSeen, "backward_begins"),
    (FaultsSeen, "before_step"),
    (FaultsSeen, "entered"),
    (FaultsSeen, "loss_computed"),
    (ForwardProbe, "_function_called"),
    (ForwardProbe, "_left"),
    (ForwardProbe, "_returned"),
    (ForwardProbe, "begin"),
    (Modes, "trained"),
    (Pending, "add"),
    (Pending, "rows"),
    (StepLosses, "take"),
    (StepProbe, "after_step"),
    (StepProbe, "end"),
    (StepProbe, "first_backward"),
    (StepProbe, "loss_computed"),
    (WeightProbe, "before_step"),
    (WeightProbe, "begin"),
]
WATCHED = """
def watched(*given):
    import babysit
    if not isinstance(given[1], torch.optim.Optimizer):
        return contextlib.nullcontext()
    kept = babysit.watch(*given, overhead=None)
    watched.last = kept
    return kept
"""
WAYS = ("plain", "run", "run-spaced", "watch", "failing")


def carried_out(path: pathlib.Path, way: str, seed: int) -> dict[str, Any]:
    """In this process, which ends afterwards."""
    said: list[str] = []

    def show(message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
        said.append(f"{category.__name__} {filename}:{lineno} {str(message).splitlines()[0][:80]}")

    warnings.showwarning = show  # type: ignore[assignment]
    if way == "failing":
        owner, name = OURS[seed % len(OURS)]

        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError("a fault of ours")

        setattr(owner, name, fail)
    output = io.StringIO()
    unseen: list[str] = []
    with contextlib.redirect_stdout(output):
        if way in ("plain", "watch"):
            ended = run_script(Script(str(path)))
            how, code, told = ended.how, ended.code, ended.traceback
        else:
            done = babysit.run(path, overhead=0.01 if way == "run-spaced" else None)
            how, code, told = done.ended, done.code, done.traceback
            unseen = [event.text for event in done.trace.happened("unseen")]
    return {
        "how": "finished" if how == "failed" and not told else how,
        "code": code,
        "traceback": told,
        "output": output.getvalue(),
        "warnings": sorted(said),
        "unseen": unseen,
    }


def forked(path: pathlib.Path, way: str, seed: int) -> dict[str, Any]:
    """In a process of its own."""
    outlet, inlet = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(outlet)
        try:
            found = carried_out(path, way, seed)
        except BaseException:
            found = {"broken": traceback.format_exc()}
        with os.fdopen(inlet, "w") as pipe:
            json.dump(found, pipe)
        os._exit(0)
    os.close(inlet)
    with os.fdopen(outlet) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    return json.loads(text) if text else {"broken": f"it ended with status {status}"}


def compare(seed: int, folder: pathlib.Path, *, compiled: bool = True) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What differs between the ways, and how the program ends plainly."""
    text, odd = generate(seed, compiled=compiled)
    path = folder / "train.py"
    path.write_text(text)
    plain = forked(path, "plain", seed)
    found = []
    for way in WAYS[1:]:
        if way == "watch":
            at = text.index("x = torch.randn(32, 6)")
            path.write_text(text[:at].rstrip("\n") + "\n" + WATCHED + text[at:])
        else:
            path.write_text(text)
        other = forked(path, way, seed)
        for what in ("broken", "how", "code", "output", "traceback", "warnings"):
            if plain.get(what) != other.get(what) and not (what in ("traceback", "warnings") and way == "watch"):
                was, now = _where_they_part(plain.get(what), other.get(what))
                found.append({"seed": seed, "way": way, "what": what, "plain": was, "now": now, "odd": odd})
                break
        else:
            ours = [one for one in other.get("unseen", []) if "babysit itself failed" in one]
            if way != "failing" and ours:
                found.append({"seed": seed, "way": way, "what": "unseen", "plain": [], "now": ours, "odd": odd})
    return found, plain


def _where_they_part(one: Any, other: Any) -> tuple[Any, Any]:
    """The first line of each that differs."""
    if isinstance(one, list) and isinstance(other, list):
        return [item for item in one if item not in other], [item for item in other if item not in one]
    lines, others = str(one).splitlines(), str(other).splitlines()
    at = next((at for at, pair in enumerate(zip(lines, others, strict=False)) if pair[0] != pair[1]), -1)
    if at < 0:
        return "\n".join(lines[-30:]), "\n".join(others[-30:])
    return lines[at], others[at]


def main() -> None:
    """Compare programs, and tell."""
    asked = argparse.ArgumentParser()
    asked.add_argument("first", type=int)
    asked.add_argument("count", type=int)
    asked.add_argument("--compiled", action="store_true")
    given = asked.parse_args()
    torch.set_num_threads(1)
    ends: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.first, given.first + given.count):
            found, plain = compare(seed, pathlib.Path(folder), compiled=given.compiled)
            ended = "broken" if "broken" in plain else "complete" if "END" in plain["output"] else "incomplete"
            ended += "" if plain.get("how") == "finished" else f" {plain.get('how')}"
            ends[ended] = ends.get(ended, 0) + 1
            for one in found:
                print(json.dumps(one), flush=True)
    print(json.dumps({"programs": given.count, "ends": ends}), flush=True)


if __name__ == "__main__":
    main()
