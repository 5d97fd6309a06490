"""The whole page in a headless Chromium: what is drawn, what the controls do, and that nothing leaves it. Run by `make test-page`."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser import CHROMIUM, Browser
from pages import write_page
from synthetic_records import on_targets, record, vocoder

from vcompress.benchmarks.report import write_report

pytestmark = [pytest.mark.page, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian: chromium)")]

DRAWN = "[...document.querySelectorAll('.chart')].filter(c => c.offsetParent).every(c => c.querySelector('svg.main-svg'))"
COLOURS = ("ink", "soft", "link", "good", "fair", "bad")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = Browser()
    yield found
    found.close()


def drawn(browser: Browser, page: Path, **window: object) -> Browser:
    """The page with every chart in sight drawn."""
    browser.open(page, **window)
    browser.run("for (const chart of document.querySelectorAll('.chart')) chart.scrollIntoView({behavior: 'instant'})")
    for step in range(0, browser.run("document.documentElement.scrollHeight"), 500):
        browser.run(f"scrollTo({{top: {step}, behavior: 'instant'}}), new Promise(requestAnimationFrame)")
    browser.wait(DRAWN)
    return browser


@pytest.mark.parametrize("window", [{}, {"dark": True}, {"width": 390, "height": 800}], ids=["desktop", "dark", "phone"])
def test_every_chart_is_drawn_without_a_complaint_or_a_request(browser: Browser, page: Path, window: dict) -> None:
    drawn(browser, page, **window)
    assert browser.run("document.querySelectorAll('.chart svg.main-svg').length") > 6
    assert browser.complaints == []
    assert [address for address in browser.requests if not address.startswith(("file:", "data:", "blob:"))] == []
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")


def test_the_page_cannot_reach_a_network(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.run("fetch('https://example.org').then(() => 'reached', () => 'refused')") == "refused"


def test_menus_draw_the_front_of_any_two_objectives(browser: Browser, page: Path) -> None:
    drawn(browser, page)
    # Each pair is chosen in the menus; the table beside the chart must hold the members that the records gave.
    wrong = browser.run("""(() => {
      const { axes, rows, pairs } = JSON.parse(document.getElementById("data").textContent).space, wrong = [];
      const choose = (id, value) => { const menu = document.getElementById(id); menu.value = value; menu.dispatchEvent(new Event("change")); };
      for (const [name, pair] of Object.entries(pairs)) {
        const [x, y] = name.split("|");
        choose("axis-x", y); choose("axis-y", x);
        const shown = [...document.querySelectorAll("#front tbody th")].map((cell) => cell.textContent).sort();
        const members = pair.fronts.flat().map((i) => `${rows[i].name} ${rows[i].word}`).sort();
        const label = document.getElementById("chart-fronts").getAttribute("aria-label");
        if (shown.join() !== members.join() || !label.startsWith(`${axes[x].label} against ${axes[y].label}`)) wrong.push(name);
      }
      return wrong;
    })()""")
    assert wrong == [] and browser.complaints == []
    browser.run("""(() => {
      const [x, y] = ["axis-x", "axis-y"].map((id) => document.getElementById(id));
      y.value = x.value;
      y.dispatchEvent(new Event("change"));
    })()""")
    assert "two different objectives" in browser.run("document.getElementById('bought').textContent")


def test_a_legend_entry_hides_its_rows(browser: Browser, page: Path) -> None:
    drawn(browser, page)
    before = browser.run("document.querySelectorAll('#chart-fronts .points path').length")
    browser.run("document.querySelector('[data-vocoder=\"melgan-s\"]').click()")
    assert browser.run("document.querySelectorAll('#chart-fronts .points path').length") == before - 4
    assert browser.run("document.querySelector('[data-vocoder=\"melgan-s\"]').getAttribute('aria-pressed')") == "false"
    browser.run("document.querySelector('[data-vocoder=\"melgan-s\"]').click()")
    assert browser.run("document.querySelectorAll('#chart-fronts .points path').length") == before


def test_sliders_say_which_rows_reach_what_is_asked(browser: Browser, page: Path) -> None:
    drawn(browser, page)
    assert browser.run("document.getElementById('passing').textContent").startswith("16 of 16 rows")
    browser.run("document.querySelector('#limits input').focus()")
    browser.press("End")  # only the best of the first objective
    browser.wait("/^[1-9] of 16/.test(document.getElementById('passing').textContent)")
    assert browser.run("document.querySelector('#limits input').getAttribute('aria-valuetext')").startswith("File size at most ")
    lines = browser.run("document.querySelectorAll('#limits label').length")
    browser.run("document.querySelector('#axes-shown input:not(:checked)').click()")
    assert browser.run("document.querySelectorAll('#limits label').length") == lines + 1


def test_tabs_and_charts_answer_the_keyboard(browser: Browser, page: Path) -> None:
    drawn(browser, page)
    browser.run("document.querySelector('[role=tab]').focus()")
    for key, wanted in (("ArrowRight", 2), ("ArrowLeft", 1), ("End", 4), ("ArrowRight", 1)):
        browser.press(key)
        assert browser.run("document.querySelector('[role=tab][aria-selected=true]').id") == f"tab-{wanted}"
        assert browser.run("[...document.querySelectorAll('.target')].filter(t => !t.hidden).map(t => t.id)") == [f"target-{wanted}"]
    told = []
    browser.run("document.getElementById('chart-fronts').focus()")
    for _ in range(3):
        browser.press("ArrowRight")
        told.append(browser.run("document.getElementById('told').textContent"))
    assert len(set(told)) == 3 and all("File size" in words and ("on the front" in words or "dominated by" in words) for words in told)


def test_the_first_stop_of_the_keyboard_leads_past_the_menu(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.press("Tab")
    assert browser.run("document.activeElement.className") == "skip"


def test_every_control_has_a_name(browser: Browser, page: Path) -> None:
    drawn(browser, page)
    nodes = browser.send("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "combobox", "slider", "checkbox", "tab", "tabpanel", "link", "image", "application", "region", "table")
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored") and node.get("role", {}).get("value") in roles
    ]
    assert {role for role, _ in named} >= {"button", "combobox", "slider", "checkbox", "tab", "application", "table"}
    assert [role for role, name in named if not name.strip()] == []


def test_audio_plays_and_the_next_player_goes_on_where_the_last_was(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.run("window.heard = [...document.querySelectorAll('audio[data-clip=\"hifigan-s\"]')]; heard[1].play()")
    browser.wait("heard[1].currentTime > 0.3")
    assert browser.run("heard[2].play().then(() => heard[1].paused && heard[2].currentTime > 0.25)") is True
    assert browser.run("[...document.querySelectorAll('audio')].every(a => !a.error)") is True and browser.complaints == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_themes_are_legible_and_the_button_changes_them(browser: Browser, page: Path, dark: bool) -> None:
    drawn(browser, page, dark=dark)
    brightness = "(() => { const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number); return r + g + b; })()"
    assert (browser.run(brightness) < 150) is dark
    # Contrast of text by WCAG 2: 4.5 to 1 and more.
    ratios = browser.run(
        """(() => {
      const channel = (c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
      const light = (css) => { const [r, g, b] = css.match(/[0-9.]+/g).map(Number); return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); };
      const probe = document.body.appendChild(document.createElement("span")), paper = light(getComputedStyle(document.body).backgroundColor);
      return NAMES.map((name) => {
        probe.style.color = `var(--${name})`;
        const ink = light(getComputedStyle(probe).color);
        return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
      });
    })()""".replace("NAMES", str(list(COLOURS)))
    )
    assert [name for name, ratio in zip(COLOURS, ratios, strict=True) if ratio < 4.5] == []
    tick = "getComputedStyle(document.querySelector('#chart-fronts .xtick text')).fill"
    before = browser.run(tick)
    browser.run("document.getElementById('theme').click()")
    assert (browser.run(brightness) < 150) is not dark
    assert browser.run(tick) != before
    browser.run("document.getElementById('theme').click()")  # as the system has it again, for the next test


def test_two_thousand_records_are_drawn(browser: Browser, tmp_path: Path) -> None:
    big = write_page(tmp_path, vocoders=40)
    drawn(browser, big)
    assert browser.run("document.querySelectorAll('#chart-fronts .points path').length") == 160
    assert browser.complaints == []


def test_charts_follow_the_width_of_the_window(browser: Browser, page: Path) -> None:
    drawn(browser, page)
    browser.send("Emulation.setDeviceMetricsOverride", width=420, height=800, deviceScaleFactor=1, mobile=False)
    browser.wait("document.querySelector('#chart-fronts svg.main-svg').getBoundingClientRect().width < 420")
    browser.wait("document.documentElement.scrollWidth <= innerWidth")
    assert browser.complaints == []


def test_names_in_records_are_text_everywhere(browser: Browser, tmp_path: Path) -> None:
    nasty = "<b id=nasty>a</b>-<img src=x onerror=alert(1)>"
    records = [
        replace(one, name=nasty, target=nasty if one.target == "pico" else one.target) for one in (*vocoder("hifigan-s", 4e6, 0.05, 2.4, 0.3), *on_targets())
    ]
    drawn(browser, write_report(records, tmp_path, tmp_path, nasty).html)
    browser.run("document.getElementById('chart-fronts').focus()")
    browser.press("ArrowRight")
    assert nasty in browser.run("document.getElementById('told').textContent")
    assert browser.run("document.querySelector('#nasty, img[src=x], .chart b')") is None and browser.complaints == []


def test_a_page_of_one_figure_and_one_of_none_are_still_pages(browser: Browser, tmp_path: Path) -> None:
    for number, only in enumerate((record("fp32", "file_bytes", 1e6), record("fp32", "energy", None, reason="no meter"))):
        drawn(browser, write_report([only], tmp_path, tmp_path / str(number), "vcompress pareto").html)
        assert browser.complaints == []


def test_without_a_script_the_tables_are_all_there(browser: Browser, page: Path) -> None:
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page)
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)
    root = browser.send("DOM.getDocument", depth=0)["root"]["nodeId"]
    for selector, count in (("#key tbody tr", 16), (".target:not([hidden])", 4), ("audio", 15)):
        assert len(browser.send("DOM.querySelectorAll", nodeId=root, selector=selector)["nodeIds"]) == count
