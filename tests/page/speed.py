"""How long the page takes with 2,000 records, in the browser, for docs/page.md: python tests/page/speed.py [vocoders]"""

import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))
from browser import Browser
from pages import write_page
from synthetic_records import many

REPEATS = 9
# From the event to the frame after the chart was drawn
TIMED = """(async () => {
  const start = performance.now();
  EVENT;
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
})()"""
MENU = """(() => {
  const menu = document.getElementById("axis-x");
  menu.selectedIndex = (menu.selectedIndex + 1) % menu.options.length;
  menu.dispatchEvent(new Event("change"));
})()"""
SLIDER = """(() => {
  const slider = document.querySelector("#limits input");
  slider.value = (Number(slider.value) + 7) % 90;
  slider.dispatchEvent(new Event("input"));
})()"""
FIRST = """await new Promise((done) => {
  document.getElementById("chart-fronts").scrollIntoView({ behavior: "instant" });
  (function look() { document.querySelector("#chart-fronts .points path") ? done() : requestAnimationFrame(look); })();
})"""
HIDE = "document.querySelector('.entry').click()"
THEME = "document.getElementById('theme').click()"
SCROLL = """(async () => {
  const gaps = [];
  let last = performance.now();
  for (let y = 0; y < document.documentElement.scrollHeight; y += 120) {
    scrollTo({ top: y, behavior: "instant" });
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    gaps.push(now - last);
    last = now;
  }
  return gaps;
})()"""


def main(vocoders: int) -> None:
    """Measure and print."""
    browser = Browser()
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        page = write_page(Path(folder), vocoders=vocoders)
        print(f"{len(many(vocoders))} records: made in {time.perf_counter() - start:.1f} s, {page.stat().st_size / 1e6:.1f} MB")
        browser.open(page)
        parsed = browser.run("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
        # The first chart: unpacking and reading plotly.js is in it
        first = browser.run(TIMED.replace("EVENT", FIRST))
        print(f"page read in {parsed:.0f} ms, first chart {first:.0f} ms later")
        browser.run("document.getElementById('chart-parallel').scrollIntoView({behavior: 'instant'})")
        browser.wait("document.querySelector('#chart-parallel svg.main-svg')")
        for name, event in (("another objective", MENU), ("slider", SLIDER), ("legend entry, both charts", HIDE), ("theme, both charts", THEME)):
            times = [browser.run(TIMED.replace("EVENT", event)) for _ in range(REPEATS)]
            print(f"{name}: {median(times):.0f} ms, at most {max(times):.0f}")
        gaps = browser.run(SCROLL)
        print(f"scrolling from end to end: median frame {median(gaps):.0f} ms, slowest {max(gaps):.0f} ms")
        print(f"complaints: {browser.complaints}")
    browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 40)
