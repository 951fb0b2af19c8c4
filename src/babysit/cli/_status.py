"""`babysit status`."""

from __future__ import annotations

import json as json_text
import sys

from babysit.cli._answer import STANDARD_OUTPUT, tell_json
from babysit.cli._codes import BAD_NEWS, DONE
from babysit.cli._jobs import BackgroundJob, jobs
from babysit.cli._jobs import job as job_of
from babysit.cli._options import File, Flag, refuse_folders
from babysit.record import InputError, JobAnswer, JobsAnswer, to_json
from babysit.reports import write_out


def status(
    job: str | None = None, /, *, since: int = 0, wait: float = 0.0, stop: Flag = False, json: File = None
) -> int:
    """How a job stands that was begun with --background: its news, and at its end its answer.

    Without a job it lists all that are kept; a job is kept for a week after its end.

    Exit code 0 while the job runs; after its end, that of its command, and 1 where the job was killed.

    Parameters
    ----------
    job
        What `--background` answered, such as check-1f09ab.
    since
        News that is known already, in lines; the status before says the number.
    wait
        Seconds to wait for the end, at most.
    stop
        End the job; what it knows by then is its answer.
    json
        Write the status as JSON: to this file (NAME.json), or without a file to the standard output.
    """
    refuse_folders(json=json)
    if job is None:
        if stop or since or wait:
            raise InputError("no job was named", legal=", ".join(one.name for one in jobs()) or "no job is kept")
        return _list(json)
    if since < 0 or not wait >= 0:
        raise InputError(f"--since {since} --wait {wait:g}", legal="0 or more, both")
    found = job_of(job)
    if stop:
        found.stop()
    found.wait(wait)
    return tell_job(found, json, since)


def tell_job(found: BackgroundJob, json: File, since: int = 0) -> int:
    """Print how a job stands. Returns the exit code."""
    told = found.told(since)
    tell_json(lambda: json_text.dumps(to_json(told), indent=2), json)
    if json != STANDARD_OUTPUT:
        write_out(sys.stdout, "\n".join([*told.news, _line(told), *([told.text.rstrip()] if told.text else [])]) + "\n")
    if told.state == "running":
        return DONE
    return BAD_NEWS if told.code is None else told.code


def _list(json: File) -> int:
    told = [one.told(sys.maxsize) for one in jobs()]
    bare = [JobAnswer(one.job, one.command, one.state, one.code, one.seconds, next=one.next) for one in told]
    tell_json(lambda: json_text.dumps(to_json(JobsAnswer(tuple(bare))), indent=2), json)
    if json != STANDARD_OUTPUT:
        lines = [f"{_line(one)}  {' '.join(one.command)}" for one in told]
        write_out(sys.stdout, "\n".join(lines or ["no job is kept"]) + "\n")
    return DONE


def _line(told: JobAnswer) -> str:
    line = f"{told.job}: {told.state}, {told.seconds:.0f} s"
    if told.state == "running":
        return f"{line}; more: babysit status {told.job} --since {told.next}"
    return line if told.code is None else f"{line}, exit code {told.code}"
