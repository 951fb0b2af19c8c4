"""explain: what something is, with its figures computed when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from babysit.api._result import Result
from babysit.lessons import explain as lesson_of
from babysit.lessons import explain_lecture, page_of, pages
from babysit.record import ExplainAnswer, ExplainBegan, ExplainEnded, LessonAnswer, PageBegan, Progress, silent
from babysit.reports import Lesson, lesson_renderable, render_lessons_page

LECTURE = "lecture"
LECTURE_TITLE = "Training neural networks, part I"


@dataclass(frozen=True, repr=False)
class Explained(Result):
    """What `explain` answers.

    Attributes:
        lessons: The pages that were asked for; empty where no name was given.
        names: Every name that `explain` knows, by kind; empty where one was given.
    """

    lessons: tuple[Lesson, ...] = ()
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def lesson(self) -> Lesson:
        """The first page."""
        return self.lessons[0]

    def _record(self) -> ExplainAnswer:
        lessons = []
        for lesson in self.lessons:
            figures = tuple({"type": type(figure).__name__, **figure._asdict()} for figure in lesson.figures)
            lessons.append(LessonAnswer(**{**vars(lesson), "figures": figures}))
        return ExplainAnswer(tuple(lessons), self.names)

    def _title(self) -> str:
        if not self.lessons:
            return "What babysit explains"
        return self.lessons[0].title if len(self.lessons) == 1 else LECTURE_TITLE

    def _page(self, command: str = "") -> str:
        return render_lessons_page(self.lessons, self._title()) if self.lessons else super()._page(command)

    def __rich__(self) -> RenderableType:
        if self.lessons:
            return Group(*(lesson_renderable(lesson) for lesson in self.lessons))
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("kind", style="bold")
        table.add_column("names")
        for kind, names in self.names.items():
            table.add_row(kind, ", ".join(names))
        return Group(table, Text("babysit explain NAME; --report FILE writes a page", style="dim"))


def explain(name: str = "", *, progress: Progress = silent) -> Explained:
    """Explain something in plain words, with its figure computed here and now.

    Args:
        name: An activation, initialisation, preprocessing step, normalisation, loss, optimizer, check, disease,
            quantity or remedy; case, blanks and underscores do not matter. `lecture` is all of CS231n's lecture in its
            order. Without a name the answer lists all names.
        progress: Receives progress events.

    Raises:
        InputError: There is no such page.

    Example:
        >>> explain("Leaky ReLU").lesson.title
        'Leaky ReLU'
    """
    if not name:
        kinds: dict[str, tuple[str, ...]] = {LECTURE: (LECTURE,)}
        for key, page in pages().items():
            if ":" not in key:
                kinds[page.kind] = (*kinds.get(page.kind, ()), page.name)
        return Explained(names=kinds)
    if name.lower() == LECTURE:
        return Explained(tuple(explain_lecture(progress)))
    page_of(name)  # an unknown name is reported before anything is computed
    progress(ExplainBegan(1))
    progress(PageBegan(name))
    lesson = lesson_of(name)
    progress(ExplainEnded())
    return Explained((lesson,))
