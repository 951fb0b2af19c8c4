"""How a command ends: the table of exit codes, from which docs/exit-codes.md is made."""

DONE, BAD_NEWS, BAD_INPUT, NOT_JUDGED, INTERRUPTED = 0, 1, 2, 3, 130

CODES = {
    DONE: "The command did what it was asked, and there is no bad news.",
    BAD_NEWS: "The command did what it was asked, and the answer is bad news.",
    BAD_INPUT: "The input cannot be used: an option, a file, a recipe or a script. One error says what to write.",
    NOT_JUDGED: "`babysit check`, `diagnose` or `heal` saw too little to say sound or sick, "
    "or `compare` could not tell two trainings apart. The reasons stand first.",
    INTERRUPTED: "Somebody stopped the command (Ctrl-C). What was finished is kept; `babysit resume` goes on with it.",
}
# What bad news is, for each command that can have any.
BAD_NEWS_OF = {
    "check": "something sick was found",
    "compare": "the second training is worse than the first",
    "demo": "the sick script was not healed, or the second training diverged",
    "diagnose": "something sick was found",
    "fit": "the training diverged",
    "heal": "something is wrong, whether a remedy heals it or not",
    "resume": "the training diverged, or the search found no winner",
    "status": "the job's command had bad news, or the job was killed",
    "tune": "the search found no winner: every trial failed",
}
OF_RUN = "`babysit run` ends with the exit code of the script itself, and with 2 where the script could not be begun."
