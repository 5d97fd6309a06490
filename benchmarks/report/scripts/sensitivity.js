// What each tensor or layer costs alone in 8 bits: SNR on the left, log-mel L1 on the right, the worst first.
function drawSensitivity() {
  const id = "chart-sensitivity", analysis = data.analyses[find("analysis").value], part = find("part").value;
  const found = analysis.charts[part], kinds = part === "tensors" ? ["tensor"] : ["weights", "activations"], small = narrow(id);
  find(id).style.height = `${100 + 20 * found.length}px`;
  const paint = [colour("s0"), colour("s1")];
  const traces = [], stops = [];
  kinds.forEach((kind, k) => {
    const mine = found.map((one, y) => ({ ...one, y, cost: one.costs[kind] })).filter((one) => one.cost);
    const text = mine.map((one) => `${plain(`${one.name} (${one.now})`)}<br>${kind === "tensor" ? "" : `${kind}: `}SNR ${one.cost.snr ?? "without error"}${one.cost.snr === null ? "" : " dB"}<br>log-mel L1 ${one.cost.mel > 0 ? "+" : ""}${one.cost.mel} %`);
    const marks = { y: mine.map((one) => one.y), text, hoverinfo: "text", mode: "markers", marker: { color: paint[k], size: 9, symbol: ["circle", "diamond"][k] }, name: kind };
    stops.push(...mine.map((one, point) => ({ curve: traces.length, point, text: text[point], y: one.y })));
    traces.push({ ...marks, x: mine.map((one) => one.cost.snr), showlegend: kinds.length > 1 });
    if (!small) traces.push({ ...marks, x: mine.map((one) => one.cost.mel), xaxis: "x2", showlegend: false });
  });
  const room = small ? 132 : 280, letters = small ? 19 : 40;
  const short = (whole) => {
    const name = small ? whole.replace(/:conv1d$/, "") : whole; // what most are goes without saying where there is no room
    return plain(name.length > letters ? `${name.slice(0, letters - 10)}…${name.slice(-9)}` : name);
  };
  plot(id, traces, {
    margin: { l: room, r: 16, t: 28, b: 50 }, showlegend: kinds.length > 1, legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    xaxis: { domain: small ? [0, 1] : [0, 0.5], title: titled("SNR against fp32 (dB), lower costs more") },
    ...(small ? {} : { xaxis2: { domain: [0.57, 1], title: titled("log-mel L1 over fp32's (%)") } }),
    yaxis: { range: [found.length - 0.4, -0.6], tickvals: [...found.keys()], ticktext: found.map((one) => short(one.name)), tickfont: { size: 11 } },
  }, stops.sort((a, b) => a.y - b.y));
  find("analysed").textContent = `${analysis.name} ${analysis.recipe}, ${analysis.clips} clip${analysis.clips === 1 ? "" : "s"} of ${analysis.seconds} s. All in 8 bits: ${analysis.everything}; as the run has it: ${analysis.chosen}.`;
}

if (find("chart-sensitivity")) {
  register("chart-sensitivity", drawSensitivity);
  for (const menu of ["analysis", "part"]) find(menu).addEventListener("change", () => redraw("chart-sensitivity"));
}
