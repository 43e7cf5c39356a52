"use strict";
document.documentElement.classList.add("js");
const all = (query, inside = document) => [...inside.querySelectorAll(query)];
const make = (name, attributes, inside) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (inside !== undefined) made.textContent = inside;
  return made;
};
const kept = { get: (key) => { try { return sessionStorage.getItem(location.pathname + key); } catch { return null; } },
  set: (key, value) => { try { sessionStorage.setItem(location.pathname + key, value); } catch {} } };

// Samples: newest first in the page, oldest first on the slider. Several sliders move together.
const frames = all(".frames").map((place) => {
  const figures = all("figure", place).reverse(), range = place.querySelector(".player input");
  const button = place.querySelector(".player button");
  const show = (part) => {
    const index = Math.round(part * (figures.length - 1));
    figures.forEach((figure, i) => figure.classList.toggle("on", i === index));
    if (range) range.value = index;
  };
  return { figures, range, button, show };
});
let timer = null;
const seek = (part) => { frames.forEach((f) => f.show(part)); kept.set("at", part); };
const longest = Math.max(1, ...frames.map((f) => f.figures.length - 1));
frames.forEach((f) => {
  if (!f.range) return;
  f.range.addEventListener("input", () => seek(f.range.value / f.range.max));
  f.button.addEventListener("click", () => {
    const stop = () => { clearInterval(timer); timer = null; frames.forEach((g) => { if (g.button) g.button.textContent = "play"; }); };
    if (timer) return stop();
    let at = f.range.value === f.range.max ? 0 : Math.round((f.range.value / f.range.max) * longest);
    seek(at / longest);
    f.button.textContent = "pause";
    timer = setInterval(() => { at += 1; seek(at / longest); if (at >= longest) stop(); }, 350);
  });
});
seek(Number(kept.get("at") ?? 1));

// Before and after.
all(".pair").forEach((pair) => pair.querySelector("input").addEventListener("input", (event) =>
  pair.querySelectorAll("img")[1].style.setProperty("--cut", event.target.value + "%")));

// Charts. A line is whole numbers from 0 to SCALE; zooming shows another section of it.
const SCALE = 100000, WIDTH = 480, HEIGHT = 190, LEFT = 52, TOP = 8, BOTTOM = 22;
const round = (low, high, count) => {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const width = [1, 2, 5, 10].map((f) => f * power).find((w) => w >= raw * 0.999), found = [];
  for (let n = Math.ceil(low / width - 1e-9); n <= high / width + 1e-9; n++) found.push(n * width);
  return found;
};
const powers = (low, high) => {
  const found = [];
  for (let power = Math.floor(low); power <= Math.ceil(high); power++) {
    for (const factor of high - low > 3 ? [1] : [1, 2, 5]) found.push(power + Math.log10(factor));
  }
  return found.filter((value) => value >= low && value <= high);
};
const short = (value) => Number(value.toPrecision(4)).toString();
const charts = all("figure.chart").map((figure) => {
  const plot = figure.querySelector(".plot"), ticks = figure.querySelector(".ticks"), keys = all(".keys label", figure);
  const end = Number(figure.dataset.end), low = Number(figure.dataset.low), high = Number(figure.dataset.high);
  const real = (y) => { const v = high - (y / SCALE) * (high - low); return "log" in figure.dataset ? 10 ** v : v; };
  const lines = keys.map((key, i) => ({ box: key.querySelector("input"), said: key.querySelector("output"),
    points: all(`polyline.s${i}`, plot).map((line) => (line.getAttribute("points") || "").split(" ").filter(Boolean)
      .map((pair) => pair.split(",").map(Number))) }));
  const last = lines.map((line) => line.said.textContent);
  const draw = (a, b) => {
    const seen = lines.filter((l) => l.box.checked).flatMap((l) => l.points[0].filter(([x]) => x >= a && x <= b).map(([, y]) => y));
    let top = 0, bottom = SCALE;
    if ((a > 0 || b < SCALE || lines.some((l) => !l.box.checked)) && seen.length) {
      top = seen.reduce((m, y) => Math.min(m, y), SCALE);
      bottom = seen.reduce((m, y) => Math.max(m, y), 0);
      const room = 0.05 * (bottom - top) || 2000;
      top -= room;
      bottom += room;
    }
    plot.setAttribute("viewBox", `${a} ${top} ${b - a} ${bottom - top}`);
    ticks.replaceChildren();
    const linear = (y) => high - (y / SCALE) * (high - low);
    for (const value of ("log" in figure.dataset ? powers : round)(linear(bottom), linear(top), 4)) {
      const y = TOP + ((linear(top) - value) / (linear(top) - linear(bottom))) * (HEIGHT - TOP - BOTTOM);
      ticks.append(make("line", { class: "grid", x1: LEFT, x2: WIDTH, y1: y, y2: y }),
        make("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, short("log" in figure.dataset ? 10 ** value : value)));
    }
    const from = (a / SCALE) * end, to = (b / SCALE) * end;
    for (const value of round(from, to, 5)) {
      const x = LEFT + ((value - from) / (to - from)) * (WIDTH - LEFT);
      ticks.append(make("text", { x, y: HEIGHT - 6, "text-anchor": "middle" }, short(value)));
    }
  };
  const at = (event) => {
    const box = plot.ownerSVGElement.getBoundingClientRect(), scale = box.width / WIDTH, seen = plot.viewBox.baseVal;
    const part = (event.clientX - box.left - LEFT * scale) / ((WIDTH - LEFT) * scale);
    return seen.x + Math.min(Math.max(part, 0), 1) * seen.width;
  };
  let from = null, band = null;
  plot.addEventListener("pointerdown", (event) => {
    from = at(event);
    band = make("rect", { class: "chosen", x: from, y: -SCALE, width: 0, height: 3 * SCALE });
    plot.append(band);
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointermove", (event) => {
    const x = at(event);
    if (band) { band.setAttribute("x", Math.min(from, x)); band.setAttribute("width", Math.abs(x - from)); }
    lines.forEach((line) => {
      const points = line.points[0];
      if (!points.length) return;
      const near = points.reduce((m, p) => (Math.abs(p[0] - x) < Math.abs(m[0] - x) ? p : m));
      line.said.textContent = `${short(real(near[1]))} at ${Math.round((near[0] / SCALE) * end)}`;
    });
  });
  plot.addEventListener("pointerleave", () => lines.forEach((line, i) => { line.said.textContent = last[i]; }));
  plot.addEventListener("pointerup", (event) => {
    const to = at(event);
    if (band) band.remove();
    band = null;
    if (from !== null && Math.abs(to - from) > plot.viewBox.baseVal.width / 100) zoom(Math.min(from, to), Math.max(from, to));
    from = null;
  });
  plot.addEventListener("dblclick", () => zoom(0, SCALE));
  const back = document.createElement("button");
  back.type = "button";
  back.textContent = "whole run";
  back.hidden = true;
  back.addEventListener("click", () => zoom(0, SCALE));
  figure.querySelector(".keys").append(back);
  lines.forEach((line) => line.box.addEventListener("change", () => draw(...view)));
  return { draw, back };
});
let view = [0, SCALE];
function zoom(a, b) {
  view = [a, b];
  charts.forEach((chart) => { chart.draw(a, b); chart.back.hidden = a === 0 && b === SCALE; });
}

// Tables that are sorted by a click on a column.
all("table.sortable").forEach((table) => all("th", table).forEach((head, column) => head.addEventListener("click", () => {
  const up = head.dataset.up === undefined ? true : head.dataset.up !== "1", body = table.tBodies[0];
  all("th", table).forEach((other) => delete other.dataset.up);
  head.dataset.up = up ? "1" : "";
  const value = (row) => { const cell = row.cells[column]; return cell.dataset.value ?? cell.textContent.trim(); };
  const rows = [...body.rows].sort((a, b) => {
    const x = value(a), y = value(b);
    if (x === "" || y === "") return (x === "") - (y === "");
    const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
    return up ? order : -order;
  });
  body.append(...rows);
})));

// Parallel coordinates: a line and its row of the table light up together.
all("[data-row]").forEach((item) => ["pointerenter", "pointerleave"].forEach((kind) => item.addEventListener(kind, () =>
  all(`[data-row="${item.dataset.row}"]`).forEach((other) => other.classList.toggle("on", kind === "pointerenter")))));

if (document.body.dataset.live) setInterval(() => { if (!document.hidden && !timer) location.reload(); }, document.body.dataset.live * 1000);
