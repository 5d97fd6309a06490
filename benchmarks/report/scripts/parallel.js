// All objectives at once: a row is a line, up is better on every axis, and sliders set what a row has to reach.
const CROWD = 48; // rows from which on marks would hide the lines
const limits = new Map(); // metric -> 0 (no limit) to 100 (only the best)
const chosenAxes = () => [...document.querySelectorAll("#axes-shown input:checked")].map((box) => box.value);

// From a value to 0 (the worst) and 1 (the best of all rows), and back.
function heights(metric) {
  const axis = axes[metric], turn = axis.log ? Math.log : (value) => value, back = axis.log ? Math.exp : (value) => value;
  const all = rows.map((row) => row.values[metric]).filter((value) => value !== undefined).map(turn);
  const [low, high] = [Math.min(...all), Math.max(...all)], [worst, best] = axis.sense === "min" ? [high, low] : [low, high];
  return { up: (value) => (best === worst ? 1 : (turn(value) - worst) / (best - worst)), value: (part) => back(worst + part * (best - worst)) };
}

function passes(row, scales) {
  return [...scales].every(([metric, scale]) => {
    const least = (limits.get(metric) ?? 0) / 100;
    return !least || (row.values[metric] !== undefined && scale.up(row.values[metric]) >= least - 1e-9);
  });
}

function drawParallel() {
  const id = "chart-parallel", metrics = chosenAxes(), scales = new Map(metrics.map((metric) => [metric, heights(metric)]));
  const shown = rows.filter(isShown), inside = shown.filter((row) => passes(row, scales)), kept = new Set(inside);
  const small = narrow(id), traces = [], stops = [];
  const textOf = (row) => [plain(`${row.name} ${row.recipe}`), ...metrics.map((m) => `${axes[m].label} ${row.values[m] === undefined ? "no figure" : withUnit(axes[m], row.values[m])}`)].join("<br>");
  const trace = (lines, paint, width) => {
    const x = [], y = [], text = [], symbols = [];
    for (const row of lines) {
      const words = textOf(row);
      let stop = null;
      metrics.forEach((metric, i) => {
        const value = row.values[metric];
        if (value !== undefined) stop ??= { curve: traces.length, point: x.length, text: words };
        x.push(i); y.push(value === undefined ? null : scales.get(metric).up(value)); text.push(words); symbols.push(SYMBOLS[row.shape] + (row.folded ? "-open" : ""));
      });
      if (stop) stops.push(stop);
      x.push(null); y.push(null); text.push(""); symbols.push("circle");
    }
    traces.push({ x, y, text, mode: shown.length > CROWD ? "lines" : "lines+markers", cliponaxis: false, line: { color: paint, width }, marker: { color: paint, size: 7, symbol: symbols }, hoverinfo: "text" });
  };
  trace(shown.filter((row) => !kept.has(row)), colour("grey"), 0.8);
  stops.length = 0; // the keys go along the lines that pass
  for (const series of new Set(shown.map((row) => row.series))) trace(inside.filter((row) => row.series === series), colour(`s${series}`), 1.5);
  const names = metrics.map((metric, i) => ({ x: i, y: 1, yshift: small ? 27 + (i % 2) * 15 : 29, text: `<b>${axes[metric].label}</b> ${data.marks[axes[metric].known]}`, showarrow: false, font: { size: small ? 11 : 12.5 } }));
  const bounds = metrics.flatMap((metric, i) => [1, 0].map((part) => ({ x: i, y: part, yshift: part ? 13 : -13, text: withUnit(axes[metric], scales.get(metric).value(part)), showarrow: false, font: { size: 10.5, color: colour("soft") } })));
  const lines = metrics.map((_, i) => ({ type: "line", x0: i, x1: i, y0: 0, y1: 1, layer: "below", line: { color: colour("rule"), width: 1 } }));
  plot(id, traces, {
    margin: { l: small ? 34 : 60, r: small ? 34 : 60, t: small ? 60 : 46, b: 30 }, annotations: [...names, ...bounds], shapes: lines,
    xaxis: { range: [-0.02, Math.max(metrics.length - 1, 0.5) + 0.02], showgrid: false, showline: false, showticklabels: false }, yaxis: { range: [-0.05, 1.05], showgrid: false, showline: false, showticklabels: false },
  }, stops);
  const named = inside.slice(0, 12).map((row) => `${row.name} ${row.word}`).join(", ");
  find("passing").textContent = `${inside.length} of ${shown.length} rows reach all that is asked${inside.length ? `: ${named}${inside.length > 12 ? " and more" : ""}` : ""}.`;
}

function sliders() {
  find("limits").replaceChildren(...chosenAxes().map((metric) => {
    const label = document.createElement("label"), says = document.createElement("output"), slider = document.createElement("input");
    const axis = axes[metric], scale = heights(metric);
    Object.assign(slider, { type: "range", min: 0, max: 100, value: limits.get(metric) ?? 0 });
    slider.setAttribute("aria-label", axis.label); // a label names the first control in it, which is the output
    const say = () => { says.textContent = Number(slider.value) ? `${axis.sense === "min" ? "at most" : "at least"} ${withUnit(axis, scale.value(slider.value / 100))}` : "any"; };
    const told = () => slider.setAttribute("aria-valuetext", `${axis.label} ${says.textContent}`);
    slider.addEventListener("input", () => {
      limits.set(metric, Number(slider.value));
      say(); told();
      later("parallel", () => redraw("chart-parallel"));
    });
    say(); told();
    label.append(axis.label, says, slider);
    return label;
  }));
}

if (find("chart-parallel")) {
  register("chart-parallel", drawParallel);
  find("axes-shown").addEventListener("change", (event) => {
    if (!event.target.checked) limits.delete(event.target.value);
    sliders();
    redraw("chart-parallel");
  });
  sliders();
}
