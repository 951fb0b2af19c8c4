"""The page in a real browser: it opens alone, draws everything, fits a phone, and no name in the data can hurt it."""

import dataclasses
import os
import pathlib
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from babysit.lessons import explain
from babysit.record import (
    DataSummary,
    Effect,
    Event,
    Finding,
    Healing,
    PreFlight,
    PreFlightStep,
    Remedy,
    Run,
    RunSummary,
    Tried,
)
from babysit.reports import (
    account_of_check,
    account_of_healing,
    findings_renderable,
    render_account,
    render_page,
    render_result_page,
    reproduction,
    write_lessons_page,
    write_page,
    write_trace_page,
)
from tests.reports.inside import FINDINGS, seen_inside
from tests.reports.lessons import LESSON
from tests.reports.runs import classes, make_run, numbers

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield found
        found.close()


# What no reader can miss: the contrast of each text with its ground, and controls that have a name.
FAULTS = """() => {
  const faults = [];
  const parts = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const bright = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("svg, script, style")) continue;
    if (!element.checkVisibility()) continue;
    const pair = [bright(parts(getComputedStyle(element).color)), bright(ground(element))].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  for (const control of document.querySelectorAll("button, a, summary, [role=img]"))
    if (!(control.getAttribute("aria-label") || control.textContent).trim()) faults.push(`no name: ${control.id}`);
  if (!document.documentElement.lang || !document.title) faults.push("no language or title");
  const levels = [...document.querySelectorAll("h1, h2, h3")].map((one) => Number(one.tagName[1]));
  if (levels[0] !== 1 || levels.filter((one) => one === 1).length !== 1) faults.push(`headings ${levels}`);
  for (const text of document.querySelectorAll(".plot text")) {
    if (!text.textContent.trim() || text.closest(".heatmaplayer, .slider-container")) continue;
    const style = getComputedStyle(text);
    if (style.fillOpacity !== "0" && style.opacity !== "0") {
      const pair = [bright(parts(style.fill)), bright(ground(text.closest(".plot")))].sort((a, b) => b - a);
      if ((pair[0] + 0.05) / (pair[1] + 0.05) < 4.5) faults.push(`in a figure: ${text.textContent}`);
    }
  }
  return faults;
}"""
LARGEST = 1_500_000  # bytes of a page


def _note(wrong: list[str], text: str, matters: bool = True) -> None:
    if matters:
        wrong.append(text)


def open_page(browser: Browser, path: pathlib.Path, width: int = 1280, dark: bool = False) -> tuple[Page, list[str]]:
    """The page, and everything that went wrong: errors, and requests that left for anywhere."""
    wrong: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")

    def only_itself(route: Route) -> None:
        if route.request.url != path.as_uri():
            wrong.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    context.route("**/*", only_itself)
    page = context.new_page()
    page.on("console", lambda message: _note(wrong, message.text, message.type in ("error", "warning")))
    page.on("pageerror", lambda error: _note(wrong, str(error)))
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.goto(path.as_uri())
    page.wait_for_function(
        "window.Plotly && document.querySelectorAll('.plot').length"
        " === document.querySelectorAll('.plot .main-svg:first-child').length"
    )
    return page, wrong


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("kind", ["classes", "numbers", "wide"])
def test_it_opens_alone_and_fits(browser: Browser, tmp_path: pathlib.Path, kind: str, width: int) -> None:
    path = tmp_path / "run"
    made = classes(path) if kind == "classes" else numbers(path, columns=1000 if kind == "wide" else 3)
    page, wrong = open_page(browser, write_page(made), width)
    assert wrong == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(FAULTS) == []
    assert made.path.joinpath("report.html").stat().st_size < LARGEST
    assert page.locator("h1").inner_text().startswith(made.summary.data.target)
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_of_a_trace_opens_alone_and_fits(browser: Browser, tmp_path: pathlib.Path, width: int) -> None:
    page, wrong = open_page(
        browser, write_trace_page(seen_inside(), FINDINGS, tmp_path / "trace.html"), width, dark=True
    )
    assert wrong == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".finding").count() == len(FINDINGS)
    assert page.evaluate(FAULTS) == []
    assert (tmp_path / "trace.html").stat().st_size < LARGEST
    # The slider shows another step's histograms.
    shown = "document.getElementById('inside-activation').data.map(found => found.visible)"
    assert page.evaluate(shown) == [True, False, False]
    rail = page.locator("#inside-activation .slider-rail-touch-rect")
    box = rail.bounding_box()
    assert box is not None
    rail.click(position={"x": box["width"] - 2, "y": box["height"] / 2}, force=True)
    page.wait_for_function(f"({shown}).indexOf(true) === 2")
    page.context.close()


def test_every_point_is_drawn(browser: Browser, tmp_path: pathlib.Path) -> None:
    page, _ = open_page(browser, write_page(numbers(tmp_path / "run")))
    drawn = page.evaluate("document.querySelectorAll('#score-test-residuals .trace:first-child .point').length")
    assert drawn == 300
    assert page.evaluate("document.getElementById('training-loss').data[0].x.length") == 200
    assert page.evaluate("document.getElementById('training-loss').data.at(-1).x") == [200, 201]
    page.context.close()


def test_a_dark_screen_gets_light_ink(browser: Browser, tmp_path: pathlib.Path) -> None:
    page, wrong = open_page(browser, write_page(classes(tmp_path / "run")), dark=True)
    assert wrong == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    assert page.evaluate("document.getElementById('training-loss').layout.font.color") == "#e6edf3"
    assert page.evaluate(FAULTS) == []
    shades = "document.getElementById('score-test-confusion').data[0].colorscale[0][1]"
    assert page.evaluate(shades) == "#0d1117"
    page.emulate_media(color_scheme="light")
    page.wait_for_function("document.getElementById('training-loss').layout.font.color === '#1b1f24'")
    assert page.evaluate(shades) == "#ffffff"
    assert page.evaluate(FAULTS) == []
    page.context.close()


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (390, False)])
def test_the_pages_of_a_check_and_of_a_healing(
    browser: Browser, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, width: int, dark: bool
) -> None:
    """Verdict, lines to change, what was tried, how to do it again; planted words stay words, secrets stay away."""
    monkeypatch.setenv("SERVICE_API_KEY", "key-that-nobody-sees-1")
    trace = seen_inside()
    made = reproduction(f"{PLANTED}.py", "babysit heal train.py --note key-that-nobody-sees-1", 12.0)
    step = PreFlightStep("wiring", "fail", PLANTED, "key-that-nobody-sees-1")
    fix = f"--- train.py\n+++ train.py\n@@ -1 +1 @@\n-lr = 1\n+lr = 0.1  # {PLANTED}"
    finding = dataclasses.replace(FINDINGS[0], file="train.py", line=7, fix=fix, did=PLANTED)
    check = PreFlight(PLANTED, (step,), (finding,), 1.0, verdict="sick", reasons=("x",), notes=(PLANTED,))
    effect = Effect(({"training accuracy": 0.2},), ({"training accuracy": 0.9, "steps": 50},), 0.875)
    remedy = Remedy("lr", "0.1")
    healing = Healing(
        PLANTED, (finding,), (remedy,), effect, (Tried((remedy,), 0.9, {"loss": 0.1}),), advice=(PLANTED,), diff=fix
    )
    for account in (
        account_of_check(check, trace, made),
        account_of_healing(healing, trace, trace, made),
    ):
        path = tmp_path / "page.html"
        path.write_text(render_account(account))
        assert "key-that-nobody-sees-1" not in path.read_text()
        page, wrong = open_page(browser, path, width, dark)
        assert wrong == []
        assert page.evaluate("window.planted") is None
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(FAULTS) == []
        assert page.locator(".diff .added").first.inner_text().startswith("+lr = 0.1")
        assert "train.py:7" in page.inner_text(".finding h3")
        assert "babysit heal train.py" in page.inner_text("dl.made")
        with page.expect_download() as begun:
            page.locator("button[data-figure='training-loss']").click()
        assert "each batch,0,2.3," in begun.value.path().read_text()
        page.context.close()


def test_three_hundred_classes(browser: Browser, tmp_path: pathlib.Path) -> None:
    names = tuple(f"species number {number} of the long list" for number in range(300))
    page, wrong = open_page(browser, write_page(classes(tmp_path / "run", names)), width=390)
    assert wrong == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.context.close()


def test_names_are_escaped_and_no_address_is_loaded(tmp_path: pathlib.Path) -> None:
    text = render_page(classes(tmp_path / "run"))
    assert "<img src=x" not in text
    own = text[: text.index("<script>")]
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", own)


PLANTED = "\"'></script><img src=x onerror=window.planted=1><script>window.planted=1</script>{{7*7}}"


def test_planted_html_does_not_run(browser: Browser, tmp_path: pathlib.Path) -> None:
    """In names of layers, classes, scripts and columns, in what a script printed, in evidence."""
    trace = seen_inside()
    layers = tuple(layer._replace(name=f"{layer.name}{PLANTED}") for layer in trace.layers)
    rows = tuple(row._replace(layer=f"{row.layer}{PLANTED}") if row.layer else row for row in trace.rows)
    events = (*trace.events, Event(3, "unseen", PLANTED), Event(4, "failed", PLANTED, PLANTED))
    planted = dataclasses.replace(trace, rows=rows, layers=layers, events=events, facts={**trace.facts, "x": PLANTED})
    finding = Finding("inputs-constant", "sick", PLANTED, {PLANTED: PLANTED}, PLANTED)
    (tmp_path / "result.html").write_text(render_result_page(PLANTED, findings_renderable([finding])))
    pages = [
        write_trace_page(planted, [finding], tmp_path / "trace.html"),
        write_page(classes(tmp_path / "run", ("cat", "dog", PLANTED))),
    ]
    for path in pages:
        page, wrong = open_page(browser, path)
        assert wrong == []
        assert page.evaluate("window.planted") is None
        assert page.locator("img[src='x']").count() == 0
        page.context.close()
    page = browser.new_page()
    page.goto((tmp_path / "result.html").as_uri())
    assert "window.planted=1" in page.inner_text("body")
    assert page.evaluate("window.planted") is None
    page.close()


def test_an_unfinished_run_is_shown_as_far_as_it_is(tmp_path: pathlib.Path) -> None:
    summary = RunSummary(
        data=DataSummary(source="x.csv", kind="table", rows=3, shape=(1,), task="regression", target="y")
    )
    run: Run = make_run(tmp_path / "run", summary, (), [])
    text = render_page(run)
    assert "begun, not evaluated yet" in text
    assert "Nothing has been scored yet" in text
    assert f"babysit resume {run.path}" in text


def test_the_page_is_replaced_whole(tmp_path: pathlib.Path) -> None:
    run = classes(tmp_path / "run")
    path = write_page(run)
    assert path == run.path / "report.html"
    assert write_page(run, tmp_path / "elsewhere.html").read_text() == path.read_text()


@pytest.mark.parametrize("width", [1280, 390])
def test_lessons_open_alone_and_fit(browser: Browser, tmp_path: pathlib.Path, width: int) -> None:
    lessons = [LESSON, *(explain(name) for name in ("relu", "whiten", "zig-zag"))]
    page, wrong = open_page(browser, write_lessons_page(lessons, "Four lessons", tmp_path / "lessons.html"), width)
    assert wrong == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".plot .main-svg:first-child").count() == page.locator(".plot").count() > 6
    assert page.locator("nav a").count() == len(lessons)
    # The contents stay where they are while the page is scrolled.
    page.evaluate("window.scrollTo(0, 3000)")
    assert page.locator("nav.contents").bounding_box()["y"] >= 0  # type: ignore[index]
    assert page.locator("nav.contents").bounding_box()["y"] < 100  # type: ignore[index]
    assert page.evaluate(FAULTS) == []
    page.context.close()
