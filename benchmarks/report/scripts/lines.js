// Lines through points: diffusion step by step, training curves.
function drawLines(id, chart) {
  const traces = chart.series.map((one) => ({
    x: one.x, y: one.y, name: plain(one.label), mode: "lines+markers", hoverinfo: "text",
    text: one.x.map((x, i) => `${plain(one.label)}<br>${chart.x} ${x}<br>${chart.y} ${one.y[i]}`),
    line: { color: colour(`s${one.series}`), width: 1.8, dash: one.dashed ? "dash" : "solid" }, marker: { size: 6, symbol: SYMBOLS[one.shape] },
  }));
  const stops = traces.flatMap((trace, curve) => trace.text.map((text, point) => ({ curve, point, text })));
  plot(id, traces, {
    margin: { l: 58, r: 14, t: 30, b: 48 }, showlegend: true, legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    xaxis: { title: titled(chart.x) }, yaxis: { title: titled(chart.y) },
  }, stops);
}

for (const [id, chart] of Object.entries(data.lines)) register(id, () => drawLines(id, chart));
