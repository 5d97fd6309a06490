// Fronts of the two objectives in the menus. Who is on a front was decided when the page was made; here it is drawn.
const { axes, rows, pairs } = data.space;

function pairOf(x, y) {
  const straight = pairs[`${x}|${y}`];
  if (straight) return straight;
  const turned = pairs[`${y}|${x}`];
  return turned && { ...turned, corner: [...turned.corner].reverse() };
}

const cost = (metric, row) => (axes[metric].sense === "max" ? -1 : 1) * row.values[metric];
const titleOf = (axis) => `${axis.label}${axis.unit ? ` (${axis.unit})` : ""}, ${axis.better}`;

// Corners of a front's steps from its cheapest point on: what lies between two points is not to be had.
function staircase(x, y, members) {
  const sorted = [...members].sort((a, b) => cost(x, rows[a]) - cost(x, rows[b]) || cost(y, rows[a]) - cost(y, rows[b]));
  const steps = [];
  for (const [i, member] of sorted.entries()) {
    const { [x]: px, [y]: py } = rows[member].values;
    if (i) steps.push([px, steps[steps.length - 1][1]]);
    steps.push([px, py]);
  }
  return steps;
}

function ends(metric, values) {
  const axis = axes[metric], written = values.map((value) => value / axis.scale);
  const low = Math.min(...written), high = Math.max(...written);
  if (axis.log) {
    const room = Math.max(1.12, (high / low) ** 0.07);
    return [low / room, high * room];
  }
  const room = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

function region(x, y, steps, corner, name) {
  if (!steps.length || !corner.length) return null;
  const [first, last] = [steps[0], steps[steps.length - 1]];
  const around = [[first[0], corner[1]], ...steps, [corner[0], last[1]], corner];
  return {
    x: around.map((p) => p[0] / axes[x].scale), y: around.map((p) => p[1] / axes[y].scale),
    mode: "lines", line: { width: 0 }, fill: "toself", fillcolor: colour(name), hoverinfo: "skip",
  };
}

// Names beside the points, each where it covers least of what is there.
function labels(id, x, y, members, ranges, margin, lines) {
  const width = find(id).clientWidth - margin.l - margin.r, height = find(id).clientHeight - margin.t - margin.b;
  const part = (value, [low, high], log) => (log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
  const spot = (row) => [part(row.values[x] / axes[x].scale, ranges[0], axes[x].log) * width, (1 - part(row.values[y] / axes[y].scale, ranges[1], axes[y].log)) * height];
  const taken = rows.filter((row) => isShown(row) && row.values[x] !== undefined && row.values[y] !== undefined).map((row) => {
    const [px, py] = spot(row);
    return [px - 6, py - 6, px + 6, py + 6];
  });
  for (const steps of lines) {
    const corners = steps.map(([vx, vy]) => spot({ values: { [x]: vx, [y]: vy } }));
    for (let i = 1; i < corners.length; i++) {
      const [[ax, ay], [bx, by]] = [corners[i - 1], corners[i]];
      taken.push([Math.min(ax, bx) - 2, Math.min(ay, by) - 2, Math.max(ax, bx) + 2, Math.max(ay, by) + 2]);
    }
  }
  const shared = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const found = [];
  for (const member of members.slice(0, 14)) {
    const row = rows[member], text = `${row.name} ${row.word}`, half = text.length * 3.1, [px, py] = spot(row);
    let best = null;
    for (const [dx, dy] of [[half + 10, 0], [-half - 10, 0], [0, -15], [0, 15], [half, -16], [-half, -16], [half, 16], [-half, 16], [0, -30], [0, 30], [half, 31], [-half, -31]]) {
      const box = [px + dx - half, py + dy - 7, px + dx + half, py + dy + 7];
      const outside = box[0] < 0 || box[2] > width || box[1] < 0 || box[3] > height;
      const covered = taken.reduce((sum, other) => sum + shared(box, other), 0) + (outside ? 1e4 : 0);
      if (!best || covered < best.covered - 1) best = { box, dx, dy, covered };
    }
    if (best.covered > 250) continue; // rather none than one on top of another; the table names it
    taken.push(best.box);
    const log = (value, axis) => (axis.log ? Math.log10(value / axis.scale) : value / axis.scale);
    found.push({ x: log(row.values[x], axes[x]), y: log(row.values[y], axes[y]), text: plain(text), showarrow: false, xshift: best.dx, yshift: -best.dy, font: { size: 11.5 } });
  }
  return found;
}

function drawFronts() {
  const id = "chart-fronts", [x, y] = [find("axis-x").value, find("axis-y").value];
  const pair = pairOf(x, y), ax = axes[x], ay = axes[y];
  const shown = [...rows.keys()].filter((i) => isShown(rows[i]) && rows[i].values[x] !== undefined && rows[i].values[y] !== undefined);
  if (!pair || !shown.length) {
    find("bought").textContent = x === y ? "Choose two different objectives." : "No row that is shown has both figures.";
    plot(id, [], { xaxis: { visible: false }, yaxis: { visible: false } }, []);
    frontTable(x, y, []);
    return;
  }
  const on = new Set(pair.fronts.flat());
  const members = shown.filter((i) => on.has(i)).sort((a, b) => cost(x, rows[a]) - cost(x, rows[b]));
  const corner = pair.corner;
  const reach = (metric, at) => [...shown.map((i) => rows[i].values[metric]), ...(corner.length ? [corner[at]] : [])];
  const ranges = [ends(x, reach(x, 0)), ends(y, reach(y, 1))];
  const largest = pair.fronts.reduce((a, b) => (b.length > a.length ? b : a), []);
  const traces = [region(x, y, staircase(x, y, largest), corner, "region"), region(x, y, staircase(x, y, pair.floating), corner, "floor")].filter(Boolean);
  const line = (steps, style) => ({ x: steps.map((p) => p[0] / ax.scale), y: steps.map((p) => p[1] / ay.scale), mode: "lines", line: style, hoverinfo: "skip" });
  traces.push(line(staircase(x, y, pair.floating), { color: colour("soft"), width: 1.4, dash: "dot" }));
  for (const front of pair.fronts) traces.push(line(staircase(x, y, front), { color: colour("ink"), width: 1.4 }));
  const order = [...shown].sort((a, b) => Number(on.has(a)) - Number(on.has(b)));
  const text = order.map((i) => {
    const row = rows[i], by = on.has(i) ? "on the front" : `dominated by ${dominator(x, y, row, pair)}`;
    return `${plain(`${row.name} ${row.recipe}`)}<br>${ax.label} ${withUnit(ax, row.values[x])}<br>${ay.label} ${withUnit(ay, row.values[y])}<br>${plain(by)}`;
  });
  const paint = Array.from({ length: 8 }, (_, i) => colour(`s${i}`)), grey = colour("grey");
  const colours = order.map((i) => (on.has(i) ? paint[rows[i].series] : grey));
  traces.push({
    x: order.map((i) => rows[i].values[x] / ax.scale), y: order.map((i) => rows[i].values[y] / ay.scale), mode: "markers", text, hoverinfo: "text",
    marker: { color: colours, size: order.map((i) => (on.has(i) ? 11 : 9)), symbol: order.map((i) => SYMBOLS[rows[i].shape] + (rows[i].folded ? "-open" : "")), line: { width: 1.5, color: order.map((i, k) => (rows[i].folded ? colours[k] : colour("paper"))) } },
  });
  const margin = { l: 58, r: 14, t: 10, b: 52 };
  const layout = { margin, xaxis: scaled(...ranges[0], ax.log, titleOf(ax)), yaxis: scaled(...ranges[1], ay.log, titleOf(ay)), annotations: labels(id, x, y, members, ranges, margin, [...pair.fronts, pair.floating].map((front) => staircase(x, y, front))) };
  const stops = order.map((i, point) => ({ curve: traces.length - 1, point, text: text[point], x: rows[i].values[x] })).sort((a, b) => a.x - b.x);
  frontTable(x, y, members);
  plot(id, traces, layout, stops);
  find(id).setAttribute("aria-label", `${ay.label} against ${ax.label}: ${shown.length} rows, ${members.length} on the front`);
  find("bought").replaceChildren(...captionOf(pair, ax, ay));
}

function dominator(x, y, row, pair) {
  const by = pair.fronts.flat().map((i) => rows[i]).find((other) => cost(x, other) <= cost(x, row) && cost(y, other) <= cost(y, row));
  return by ? `${by.name} ${by.word}` : "another";
}

function captionOf(pair, ax, ay) {
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const known = [...new Set([ax.known, ay.known])].join(" and ");
  const words = pair.reason ? `No hypervolume: ${pair.reason}.`
    : `The fp32 front covers ${percent(pair.fp32)} of the box (grey), with the quantized rows ${percent(pair.all)}: compression bought ${(100 * (pair.all - pair.fp32)).toFixed(1)} points (blue).`;
  return [`${words} All points are ${known}`, ...[...new Set([ax.known, ay.known])].map(markOf), "."];
}

function markOf(known) {
  const mark = document.createElement("span");
  mark.className = `known ${known}`;
  return mark;
}

function frontTable(x, y, members) {
  const table = find("front"), heads = table.querySelectorAll("thead th");
  [heads[1].textContent, heads[2].textContent] = [axes[x], axes[y]].map((axis) => `${axis.label}${axis.unit ? `, ${axis.unit}` : ""}`);
  table.tBodies[0].replaceChildren(...members.map((i) => {
    const line = document.createElement("tr"), head = document.createElement("th");
    head.scope = "row";
    head.textContent = `${rows[i].name} ${rows[i].word}`;
    line.append(head);
    for (const metric of [x, y]) {
      const cell = line.insertCell();
      cell.append(written(axes[metric], rows[i].values[metric]), markOf(axes[metric].known));
    }
    return line;
  }));
}

if (find("chart-fronts")) {
  register("chart-fronts", drawFronts);
  for (const axis of ["axis-x", "axis-y"]) find(axis).addEventListener("change", () => redraw("chart-fronts"));
}
