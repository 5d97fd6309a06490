"""A fixed set of records makes the same page, to the byte.

`golden/page.html` is that page without what lies in files of its own (style sheet, scripts, plotly.js) and without sound, whose encoders
have versions of their own. It was made by this file from `pages.records_of_a_page()`; after a change of the page that is meant, look at the
difference and make it again: python tests/test_golden_page.py
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden" / "page.html"
PARTS = {"style": r"<style>.*?</style>", "plotly": r'(?<=id="plotly">).*?(?=</script>)', "script": r"<script>\(\(\) => .*?</script>"}


def render(folder: Path) -> str:
    """The page of the fixed records, with an analysis and two training curves."""
    from pages import COMMAND, records_of_a_page, write_sensitivity
    from synthetic_records import write_run

    from vcompress.benchmarks.report.page import render as render_page
    from vcompress.benchmarks.rows import rows_of

    records = records_of_a_page()
    for recipe in ("qat_w8a8", "control_qat_w8a8"):
        write_run(folder, "hifigan-s", recipe)
    write_sensitivity(folder)
    return render_page(records, rows_of(records), folder, COMMAND)


def without_files(page: str) -> str:
    """The page without its own files, a tag or a figure a line, so that a difference can be read."""
    for name, pattern in PARTS.items():
        page, count = re.subn(pattern, f"[{name}]", page, flags=re.DOTALL)
        assert count == 1, name
    return page.replace("},", "},\n").replace("],", "],\n") + "\n"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    for package in ("jinja2", "matplotlib", "plotly"):
        pytest.importorskip(package)
    return render(tmp_path_factory.mktemp("page"))


def test_page_is_the_golden_one(page: str) -> None:
    assert without_files(page).splitlines() == GOLDEN.read_text(encoding="utf-8").splitlines(), "see how to make it again at the top of this file"


def test_another_process_in_another_place_and_time_makes_the_same_bytes(page: str, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    command = [sys.executable, __file__, str(out)]
    subprocess.run(command, check=True, cwd=tmp_path, env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Pacific/Auckland", "LC_ALL": "C"}, timeout=120)
    assert out.read_bytes() == page.encode()


def test_page_holds_its_files_as_they_are(page: str) -> None:
    import base64
    import gzip
    from importlib.resources import files

    packed = re.search(PARTS["plotly"], page, re.DOTALL)
    assert packed and gzip.decompress(base64.b64decode(packed[0])) == files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    report = files("vcompress.benchmarks.report")
    assert report.joinpath("page.css").read_text(encoding="utf-8") in page
    assert all(script.read_text(encoding="utf-8") in page for script in report.joinpath("scripts").iterdir())


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        made = render(Path(folder))
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(made, encoding="utf-8")
    else:
        GOLDEN.write_text(without_files(made), encoding="utf-8")
