"""Numbers to figures to terminal and page. Reads `record` only, no torch."""

from babysit.reports._check_text import check_headline, check_renderable
from babysit.reports._ci import CheckFormat, check_as, step_summary
from babysit.reports._compact import compact_findings
from babysit.reports._comparison import comparison_lesson
from babysit.reports._console import CleanConsole, write_out
from babysit.reports._finding_lines import FindingLines, event_lines
from babysit.reports._findings import finding_line, findings_renderable, print_findings
from babysit.reports._healing_text import effect_text, healing_headline, healing_renderable, tried_line
from babysit.reports._lesson import (
    GreyImage,
    HistogramsFigure,
    ImagesFigure,
    Lesson,
    LessonFigure,
    Line,
    LinesFigure,
    Panel,
    TableFigure,
)
from babysit.reports._lesson_page import render_lessons_page, write_lessons_page
from babysit.reports._lesson_text import lesson_renderable, print_lesson
from babysit.reports._live_view import LiveView
from babysit.reports._notebook_view import NotebookView, in_notebook
from babysit.reports._notify import Notify, NotifyLike
from babysit.reports._page import render_page, write_page
from babysit.reports._paired_text import paired_headline, paired_renderable
from babysit.reports._remedy_summaries import remedy_summary
from babysit.reports._rendered import as_html, as_text, render_result_page
from babysit.reports._study_page import render_study_page, write_study_page
from babysit.reports._study_text import study_renderable
from babysit.reports._svg import as_image, svg_bars, svg_lines
from babysit.reports._terminal import (
    evaluation_renderable,
    path_line,
    print_summary,
    summary_renderable,
    training_answer,
)
from babysit.reports._trace_page import (
    account_of_check,
    account_of_healing,
    account_of_trace,
    render_account,
    render_trace_page,
    reproduction,
    trace_headline,
    write_trace_page,
)

__all__ = [
    "CheckFormat",
    "CleanConsole",
    "FindingLines",
    "GreyImage",
    "HistogramsFigure",
    "ImagesFigure",
    "Lesson",
    "LessonFigure",
    "Line",
    "LinesFigure",
    "LiveView",
    "NotebookView",
    "Notify",
    "NotifyLike",
    "Panel",
    "TableFigure",
    "account_of_check",
    "account_of_healing",
    "account_of_trace",
    "as_html",
    "as_image",
    "as_text",
    "check_as",
    "check_headline",
    "check_renderable",
    "compact_findings",
    "comparison_lesson",
    "effect_text",
    "evaluation_renderable",
    "event_lines",
    "finding_line",
    "findings_renderable",
    "healing_headline",
    "healing_renderable",
    "in_notebook",
    "lesson_renderable",
    "paired_headline",
    "paired_renderable",
    "path_line",
    "print_findings",
    "print_lesson",
    "print_summary",
    "remedy_summary",
    "render_account",
    "render_lessons_page",
    "render_page",
    "render_result_page",
    "render_study_page",
    "render_trace_page",
    "reproduction",
    "step_summary",
    "study_renderable",
    "summary_renderable",
    "svg_bars",
    "svg_lines",
    "trace_headline",
    "training_answer",
    "tried_line",
    "write_lessons_page",
    "write_out",
    "write_page",
    "write_study_page",
    "write_trace_page",
]
