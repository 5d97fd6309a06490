"""A short form of tests/page: the page opens in a browser, draws and complains of nothing."""

from pathlib import Path

import pytest
from browser import CHROMIUM, Browser
from pages import write_page

for package in ("jinja2", "matplotlib", "plotly"):
    pytest.importorskip(package)


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian: chromium)")
def test_page_opens_in_a_browser_and_draws_what_is_chosen(tmp_path: Path) -> None:
    browser = Browser()
    try:
        browser.open(write_page(tmp_path))
        browser.run("document.getElementById('chart-fronts').scrollIntoView({behavior: 'instant'})")
        browser.wait("document.querySelector('#chart-fronts .points path')")
        browser.run("(() => { const menu = document.getElementById('axis-x'); menu.value = 'rtf'; menu.dispatchEvent(new Event('change')); })()")
        assert browser.run("document.getElementById('chart-fronts').getAttribute('aria-label')").startswith("PESQ wb against RTF: 16 rows")
        assert browser.complaints == []
    finally:
        browser.close()
