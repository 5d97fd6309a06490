"""The page, the spreadsheet and the picture, made from synthetic records."""

import base64
import csv
import json
import os
import re
import sys
import warnings
from html.parser import HTMLParser

import pytest
from matplotlib.image import imread
from pages import write_page, write_sensitivity
from synthetic_records import NO_ENERGY, record, three_vocoders, vocoder, write_audio_of, write_run

from vcompress.benchmarks.columns import BY_METRIC
from vcompress.benchmarks.report import write_report
from vcompress.benchmarks.report.axis import Axis, staircase_boxes
from vcompress.benchmarks.rows import front_of, rows_of
from vcompress.errors import VcompressError

for package in ("jinja2", "matplotlib", "plotly"):
    pytest.importorskip(package)

VOID = {"meta", "img", "br", "wbr", "link", "input", "hr"}


class Page(HTMLParser):
    """Elements with their attributes, the text, and whether every element was closed in order."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.key_rows: list[str] = []
        self._path: list[dict] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self._path.append(dict(attrs))
        if tag == "tr" and any(a.get("id") == "key" for a in self._path):
            self.key_rows.append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        # A closing tag may leave out those that HTML closes by itself; this page writes none of those.
        assert self.open.pop() == tag
        self._path.pop()

    def handle_data(self, data):
        if self.key_rows and any(a.get("id") == "key" for a in self._path):
            self.key_rows[-1] += data

    def with_class(self, name: str) -> list[dict]:
        return [attrs for _, attrs in self.elements if name in attrs.get("class", "").split()]

    def values(self, tag: str, name: str) -> list[str]:
        return [attrs[name] for found, attrs in self.elements if found == tag and name in attrs]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("workspace")
    records = three_vocoders()
    write_audio_of(records, workspace)
    for recipe in ("qat_w8a8", "control_qat_w8a8"):
        write_run(workspace, "hifigan-s", recipe)
    return records, write_report(records, workspace, workspace / "report", "vcompress run melgan & vcompress pareto")


@pytest.fixture(scope="module")
def html(made):
    return made[1].html.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_page_is_well_formed(page):
    assert page.open == []
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {link for link in page.values("a", "href") if link.startswith("#")} <= {f"#{i}" for i in ids}


def test_page_needs_no_network(page, html):
    assert all(source.startswith("data:") for tag in ("img", "audio", "script", "iframe", "source") for source in page.values(tag, "src"))
    assert not page.values("link", "href")
    assert not re.search(r"https?://|@import|url\(", html)


def drawn(text: str) -> dict:
    """What the charts are drawn of."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_key_table_begins_with_fp32_and_says_how_figures_are_known(page):
    rows = [" ".join(row.split()) for row in page.key_rows]
    assert rows[1].startswith("melgan-s fp32 4.40 measured 1 0.021 measured")
    assert [row for row in rows if "fp32 " in row and row.startswith("diffwave-s fp32")]
    assert any("not trained enough to judge" in row for row in rows)


def test_verdict_line_comes_first(html):
    heading = re.sub(r"<[^>]*>", "", html[html.index("<h1>") : html.index("</h1>")])
    assert heading.startswith("Static int8 HiFi-GAN S is 3.7") and "for 0.04 PESQ" in heading


def test_menus_offer_every_pair_of_objectives(page, html):
    space = drawn(html)["space"]
    menus = [attrs["value"] for tag, attrs in page.elements if tag == "option"]
    assert menus[: 2 * len(space["axes"])] == [*space["axes"], *space["axes"]]
    pairs = {f"{a}|{b}" for i, a in enumerate(space["axes"]) for b in list(space["axes"])[i + 1 :]}
    assert set(space["pairs"]) == pairs and {"file_bytes", "rtf", "pesq_wb", "stoi"} <= set(space["axes"])
    assert (space["x"], space["y"]) == ("file_bytes", "pesq_wb")


def test_fronts_of_the_page_are_those_of_the_rows(made, html):
    rows, space = rows_of(made[0]), drawn(html)["space"]
    assert [(row["name"], row["recipe"]) for row in space["rows"]] == [(row.name, row.recipe) for row in rows]
    inside = front_of(rows, [BY_METRIC["file_bytes"].objective, BY_METRIC["pesq_wb"].objective])
    pair = space["pairs"]["file_bytes|pesq_wb"]
    assert sorted(i for front in pair["fronts"] for i in front) == [i for i, kept in enumerate(inside) if kept]
    assert 0 < pair["fp32"] < pair["all"] < 1 and not any("w8" in rows[i].recipe and "control" not in rows[i].recipe for i in pair["floating"])


def test_quality_axis_is_log_mel_where_no_vocoder_can_be_judged(tmp_path):
    records = [r for r in three_vocoders() if r.name == "melgan-s"]
    text = write_report(records, tmp_path, tmp_path, "vcompress pareto").html.read_text(encoding="utf-8")
    assert drawn(text)["space"]["y"] == "log_mel_l1"


def test_panel_without_energy_says_the_reason(html):
    assert f"<strong>Energy: no figure.</strong> {NO_ENERGY}" in html


def test_players_hold_the_clip_and_small_spectrograms(page):
    # Recording, fp32, static, QAT and control of three vocoders.
    assert len(page.values("audio", "src")) == 15
    for source in page.values("img", "src"):
        png = base64.b64decode(source.removeprefix("data:image/png;base64,"))
        assert png.startswith(b"\x89PNG") and len(png) < 40_000


def test_tabs_hold_every_target_with_how_its_figures_are_known(tmp_path):
    html = write_page(tmp_path).read_text(encoding="utf-8")
    assert [attrs["aria-controls"] for _, attrs in Page(html).elements if attrs.get("role") == "tab"] == [f"target-{i}" for i in range(1, 5)]
    on_pico = html[html.index('id="target-4"') : html.index('id="sensitivity"')]
    assert "does not fit: flash 2" in on_pico and 'class="known modelled"' in on_pico and "of 2 MB" in on_pico
    on_2b = html[html.index('id="target-1"') : html.index('id="target-2"')]
    assert "Raspberry Pi 2" in on_2b and "1,000<" in on_2b and 'class="known simulated"' in on_2b
    speeds = drawn(html)["boards"]
    assert [board[0]["known"] for board in speeds] == ["modelled", "modelled", "measured", "modelled"]


def test_target_that_is_a_path_opens_no_file(tmp_path):
    (tmp_path / "secret.toml").write_text("title = 'secret'")
    records = [*vocoder("hifigan-s", 4e6, 0.05, 2.4, 0.3), record("fp32", "rtf", 2.0, known="modelled", target=str(tmp_path / "secret.toml"))]
    html = write_report(records, tmp_path, tmp_path / "out", "vcompress pareto").html.read_text(encoding="utf-8")
    assert "secret.toml" in html and ">secret<" not in html


def test_sensitivity_is_drawn_and_a_damaged_one_says_so(tmp_path):
    path = write_sensitivity(tmp_path)
    first = write_report(three_vocoders(), tmp_path, tmp_path / "out", "vcompress pareto").html.read_text(encoding="utf-8")
    (analysis,) = drawn(first)["analyses"]
    assert [row["name"] for row in analysis["charts"]["tensors"]] == ["conv_pre:conv1d", "ups.0:add"]
    assert analysis["charts"]["layers"][0]["costs"]["activations"] == {"snr": 22.0, "mel": 4.55}
    path.write_text(path.read_text()[:200])
    second = write_report(three_vocoders(), tmp_path, tmp_path / "out", "vcompress pareto").html.read_text(encoding="utf-8")
    assert drawn(second)["analyses"] == [] and "not a whole analysis" in second


def test_compression_bought_something_and_the_table_says_how_much(html):
    table = html[html.index('id="gains"') : html.index("</table>", html.index('id="gains"'))]
    rows = re.findall(r">([^<]*)</th><td>([0-9.]+) %.*?<td>([0-9.]+) %.*?<td>\+([0-9.]+)", table)
    assert [names for names, *_ in rows] == ["PESQ wb, File size", "PESQ wb, RTF", "PESQ wb, File size, RTF"]
    assert all(float(whole) - float(alone) == pytest.approx(float(bought), abs=0.11) for _, alone, whole, bought in rows)


def test_page_shows_steps_curves_and_command(html):
    assert "Diffusion, step by step" in html
    assert "Validation loss of hifigan-s" in html and "1,200" in html
    assert "vcompress run melgan &amp; vcompress pareto" in html
    assert "Example CPU" in html


def test_text_from_records_is_escaped(tmp_path):
    bad = record("fp32", "energy", None, reason="<script>alert(1)</script>")
    paths = write_report([bad, record("fp32", "file_bytes", 1e6, method="<b>x</b>")], tmp_path, tmp_path, "<i>")
    text = paths.html.read_text(encoding="utf-8")
    assert "<script>alert" not in text and "<b>x" not in text and "<i>" not in text


def test_csv_round_trips(made):
    records, paths = made
    with paths.csv.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    rows = rows_of(records)
    assert [(line["name"], line["recipe"]) for line in lines] == [(row.name, row.recipe) for row in rows]
    for line, row in zip(lines, rows, strict=True):
        assert {m: float(line[m]) if line[m] else None for m in row.figures} == {m: row.value(m) for m in row.figures}
        assert f"energy: {NO_ENERGY}" in line["absent"]
    assert {line["front_pesq_wb_file_bytes"] for line in lines} == {"0", "1"}
    assert {line["front_pesq_wb_energy"] for line in lines} == {""}


def test_png_is_a_picture(made):
    assert made[1].png.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_png_has_room_for_many_recipes(tmp_path):
    recipes = [
        "fp32",
        *(f"{control}{pruned}_{kind}" for control in ("", "control_") for pruned in ("channels50", "prune97.5_16x1") for kind in ("fp32", "qat_w8a8")),
    ]
    records = [record(recipe, *figure) for i, recipe in enumerate(recipes) for figure in (("file_bytes", 1e6 + i), ("log_mel_l1", 0.3 + i))]
    picture = imread(write_report(records, tmp_path, tmp_path / "report", "").png)
    legend = picture[int(0.85 * len(picture)) :, :, :3]
    assert legend[:, :4].min() == legend[:, -4:].min() == 1  # nothing reaches an edge


def test_png_takes_names_as_they_are(tmp_path):
    figures = [("fp32", "file_bytes", 2e6), ("fp32", "log_mel_l1", 0.3), ("static_w8a8", "file_bytes", 1e6), ("static_w8a8", "log_mel_l1", 0.4)]
    records = [record(*figure, "$x^-\x1b$", clips="c" if figure[1] == "log_mel_l1" else "") for figure in figures]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert write_report(records, tmp_path, tmp_path / "report", "").png.stat().st_size > 1000


def test_report_of_one_figure_is_still_a_report(tmp_path):
    paths = write_report([record("fp32", "file_bytes", 1.2e6)], tmp_path, tmp_path / "out", "vcompress pareto")
    assert Page(paths.html.read_text(encoding="utf-8")).open == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["pareto.csv", "pareto.png", "report.html"]


def test_report_without_records_says_what_to_do(tmp_path):
    with pytest.raises(VcompressError, match="run vcompress bench first"):
        write_report([], tmp_path, tmp_path, "vcompress pareto")
    assert not list(tmp_path.iterdir())


def test_report_without_plotly_names_the_package_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(VcompressError, match=r"needs the package plotly; .* 'vcompress\[report\]'"):
        write_report([record("fp32", "file_bytes", 1.0)], tmp_path, tmp_path, "vcompress pareto")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="a file in the place of a folder is told otherwise there")
def test_report_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(VcompressError, match="cannot be written"):
        write_report([record("fp32", "file_bytes", 1.0)], tmp_path, tmp_path / "file", "vcompress pareto")


@pytest.mark.parametrize("values", [[1.2], [1.0, 1.1], [3.0, 400.0], [0.004, 2.0], [0.0, 0.0], [1e6, 4e6]])
@pytest.mark.parametrize("log", [False, True])
def test_axis_holds_its_values_and_has_ticks(values, log):
    axis = Axis.around(values, log)
    assert all(0 < axis.fraction(value) < 1 for value in values)
    assert 2 <= len(axis.ticks()) <= 12


def test_front_line_runs_in_steps():
    assert staircase_boxes([(0, 10), (5, 3)]) == [(0, 10, 5, 10), (5, 3, 5, 10)]
