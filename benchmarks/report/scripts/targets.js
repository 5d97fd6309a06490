// Tabs, as the keyboard knows them: arrows go from one to the next, and one is shown.
const tabs = [...document.querySelectorAll('[role="tab"]')];

function choose(tab, focus = true) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    find(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (focus) tab.focus();
}

for (const [i, tab] of tabs.entries()) {
  tab.addEventListener("click", () => choose(tab));
  tab.addEventListener("keydown", (event) => {
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(tabs[(to + tabs.length) % tabs.length]);
  });
}
if (tabs.length) {
  tabs[0].parentElement.hidden = false;
  choose(tabs[0], false);
}

// A range is a line between its ends; the mark says how it is known.
function drawTarget(id, speeds) {
  const labels = speeds.map((speed) => speed.label), small = narrow(id), element = find(id);
  element.style.height = `${Math.min(900, 96 + 26 * speeds.length)}px`;
  const lowest = Math.min(0.5, ...speeds.map((speed) => speed.low)) / 1.4, highest = Math.max(2, ...speeds.map((speed) => speed.high)) * 1.4;
  const text = speeds.map((speed) => `${plain(speed.label)}<br>RTF ${[...new Set([speed.low, speed.high])].join(" to ")}, ${speed.known}${speed.fits ? "" : "<br>does not fit"}`);
  const paint = speeds.map((speed) => colour(!speed.fits ? "grey" : speed.high <= 1 ? "good" : speed.low <= 1 ? "fair" : "bad"));
  const near = (speed) => speed.high / speed.low < (highest / lowest) ** 0.03; // ends that would lie on each other are one mark between them
  const line = (speed, i) => ({ x: [speed.low, speed.high], y: [i, i], mode: "lines", line: { color: paint[i], width: 2 }, hoverinfo: "skip", visible: !near(speed) });
  const ranges = speeds.map(line);
  const marks = { mode: "text", hoverinfo: "text", hovertext: [...text, ...text], textfont: { size: 15, color: [...paint, ...paint] }, text: [...speeds, ...speeds].map((speed) => data.marks[speed.known]) };
  const ends = { ...marks, x: ["low", "high"].flatMap((end) => speeds.map((speed) => (near(speed) ? Math.sqrt(speed.low * speed.high) : speed[end]))), y: [...speeds.keys(), ...speeds.keys()] };
  const short = (label) => plain(small && label.length > 20 ? `${label.slice(0, 19)}…` : label);
  plot(id, [...ranges, ends], {
    margin: { l: small ? 128 : 190, r: 16, t: 22, b: 48 },
    xaxis: scaled(lowest, highest, true, "RTF, lower is better"),
    yaxis: { range: [speeds.length - 0.4, -0.6], tickvals: [...speeds.keys()], ticktext: labels.map(short), showgrid: false },
    shapes: [{ type: "line", x0: 1, x1: 1, y0: 0, y1: 1, yref: "paper", line: { color: colour("ink"), width: 1, dash: "dot" } }],
    annotations: [{ x: 0, y: 1, yref: "paper", yanchor: "bottom", text: "real time", showarrow: false, font: { size: 11, color: colour("soft") } }],
  }, speeds.map((speed, point) => ({ curve: ranges.length, point, text: text[point] })));
}

for (const [i, speeds] of data.boards.entries()) register(`chart-target-${i + 1}`, () => drawTarget(`chart-target-${i + 1}`, speeds));
