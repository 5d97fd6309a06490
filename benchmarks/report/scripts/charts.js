// What all charts share: plotly is unpacked when the first of them comes near, each is drawn when it does, and again when the theme changes.
const data = JSON.parse(find("data").textContent);
const charts = new Map(); // id -> what draws it
const drawn = new Set();
const points = new Map(); // id -> [{curve, point, text}] in the order of the arrow keys
let unpacking = null;

async function unpack() {
  const letters = atob(find("plotly").textContent.trim()), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const code = document.createElement("script");
  code.textContent = await new Response(stream).text();
  document.head.append(code);
}

// Before the reader comes to the first chart, when there is nothing else to do.
if (document.querySelector(".chart")) (window.requestIdleCallback ?? setTimeout)(() => { unpacking ??= unpack(); });

async function draw(id) {
  unpacking ??= unpack();
  try {
    await unpacking;
  } catch {
    find(id).querySelector(".waiting").textContent = "This browser cannot unpack the charts; their figures are in the tables of this page.";
    return;
  }
  find(id).querySelector(".waiting")?.remove();
  drawn.add(id);
  charts.get(id)();
}

// A chart whose inputs have changed: drawn again if it has been, else when it comes into sight.
const redraw = (id) => { if (drawn.has(id)) charts.get(id)(); };

function register(id, drawing) {
  const element = find(id);
  if (!element) return;
  charts.set(id, drawing);
  const watch = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    draw(id);
  }, { rootMargin: "600px" });
  watch.observe(element);
  element.addEventListener("keydown", (event) => walk(event, id));
  element.addEventListener("blur", () => { if (drawn.has(id)) Plotly.Fx.unhover(element); });
}

// On paper there is no coming into sight.
addEventListener("beforeprint", () => { if (window.Plotly) for (const id of charts.keys()) if (find(id).offsetParent) draw(id); });

const redrawAll = () => { for (const id of drawn) charts.get(id)(); };
themed.push(redrawAll);

// One drawing a frame, however fast a slider or the edge of a window moves.
const waiting = new Set();
function later(name, work) {
  if (waiting.has(name)) return;
  waiting.add(name);
  requestAnimationFrame(() => { waiting.delete(name); work(); });
}

let width = innerWidth; // a phone's bars come and go and change the height alone
addEventListener("resize", () => {
  if (width === innerWidth) return;
  width = innerWidth;
  later("resize", redrawAll);
});

// Arrow keys go from point to point; what it is shows as if it were pointed at, and is told to a screen reader.
const place = new Map();
function walk(event, id) {
  const stops = points.get(id) ?? [];
  const at = place.get(id) ?? -1;
  const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: stops.length - 1 }[event.key];
  if (to === undefined || !stops.length || !drawn.has(id)) return;
  event.preventDefault();
  const next = (to + stops.length) % stops.length;
  place.set(id, next);
  Plotly.Fx.hover(find(id), [{ curveNumber: stops[next].curve, pointNumber: stops[next].point }]);
  find("told").textContent = stops[next].text.replaceAll("<br>", ", ").replaceAll("&lt;", "<").replaceAll("&amp;", "&");
}

function plot(id, traces, layout, stops) {
  const ink = colour("ink"), soft = colour("soft");
  const axis = { gridcolor: colour("grid"), linecolor: colour("rule"), zeroline: false, fixedrange: true, tickfont: { color: soft, size: 11.5 }, ticks: "" };
  const whole = {
    font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: ink },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, dragmode: false, hovermode: "closest", hoverdistance: 24,
    hoverlabel: { bgcolor: ink, bordercolor: ink, font: { color: colour("paper"), size: 12.5 }, align: "left" },
    ...layout,
    xaxis: { ...axis, ...layout.xaxis }, yaxis: { ...axis, ...layout.yaxis },
  };
  for (const name of Object.keys(layout)) if (/^[xy]axis\d/.test(name)) whole[name] = { ...axis, ...layout[name] };
  points.set(id, stops);
  place.delete(id);
  const done = Plotly.react(find(id), traces, whole, { displayModeBar: false, responsive: true });
  find("js-plotly-tester")?.setAttribute("aria-hidden", "true"); // plotly measures text in it, far outside the page
  return done;
}

// plotly reads tags in what it writes; a name in a record is only a name.
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const titled = (text) => ({ text, font: { size: 12.5, color: colour("soft") }, standoff: 8 });
const narrow = (id) => find(id).clientWidth < 520;

// A value as the tables write it, without its unit.
function written(axis, value) {
  const scaled = value / axis.scale;
  return Math.abs(scaled) >= 10 ** -axis.digits || scaled === 0 ? scaled.toFixed(axis.digits) : String(Number(scaled.toPrecision(2)));
}
const withUnit = (axis, value) => `${written(axis, value)}${axis.unit ? ` ${axis.unit}` : ""}`;

// Round values between two ends: 1, 2, 5 times powers of ten.
function ticks(low, high, log) {
  const found = [];
  if (log) {
    const steps = high / low > 200 ? [1] : high / low > 4 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) for (const step of steps) found.push(step * 10 ** e);
    const inside = found.filter((value) => value >= low && value <= high);
    if (inside.length > 1) return inside;
    found.length = 0;
  }
  const rough = (high - low) / 6, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((size) => size >= rough * 0.999);
  for (let i = Math.ceil(low / step); i <= Math.floor(high / step); i++) found.push(i * step);
  return found;
}

// An axis of plotly from low to high, both in the units that are written.
function scaled(low, high, log, text) {
  const at = ticks(low, high, log);
  const range = log ? [Math.log10(low), Math.log10(high)] : [low, high];
  return { type: log ? "log" : "linear", range, tickvals: at, ticktext: at.map((value) => String(Number(value.toPrecision(6)))), title: titled(text) };
}

for (const button of document.querySelectorAll(".save")) {
  button.addEventListener("click", () => {
    const chart = find(button.dataset.chart);
    if (drawn.has(chart.id)) Plotly.downloadImage(chart, { format: "svg", filename: chart.id, width: chart.clientWidth, height: chart.clientHeight });
  });
}

// Marks: plotly's names of the shapes in the legends.
const SYMBOLS = { circle: "circle", square: "square", diamond: "diamond", triangle: "triangle-up", down: "triangle-down", cross: "x", hexagon: "hexagon" };
const hidden = { vocoder: new Set(), recipe: new Set() };
for (const button of document.querySelectorAll(".entry")) {
  button.addEventListener("click", () => {
    const kind = button.dataset.vocoder === undefined ? "recipe" : "vocoder", name = button.dataset[kind];
    const shown = !hidden[kind].delete(name);
    if (shown) hidden[kind].add(name);
    button.setAttribute("aria-pressed", String(!shown));
    for (const id of ["chart-fronts", "chart-parallel"]) redraw(id);
  });
}
const isShown = (row) => !hidden.vocoder.has(row.name) && !hidden.recipe.has(row.word.replace("folded ", ""));
