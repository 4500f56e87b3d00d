// Lines over time, drawn by uPlot, in the colours of the page; and the same as a table.

import { $, fill, h, table } from "./dom.js";
import { day, tick } from "./format.js";

const HEIGHT = 220;
const drawn = new Map();

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axes(format) {
  const common = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  return [
    { ...common, grid: { show: false }, size: 28, space: 80, values: (_, splits, __, ___, step) => splits.map((at) => tick(at, step)) },
    { ...common, size: 64, values: (_, splits) => splits.map(format) },
  ];
}

function options(place, chart) {
  return {
    width: Math.max(place.clientWidth, 200), height: HEIGHT, legend: { show: false }, scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(high ?? 0, chart.least) * 1.05] } },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    axes: axes(chart.format),
    series: [{}, ...chart.lines.map((line) => ({ stroke: colour(line.colour), width: 2, dash: line.dash, fill: line.fill ? `${colour(line.colour)}22` : undefined, points: { show: chart.at.length < 3 } }))],
    hooks: { setCursor: [(plot) => read(chart, plot.cursor.idx)] },
  };
}

/** Says what the lines are, or where the pointer is, what they are there. */
function read(chart, index) {
  const here = index !== null && index !== undefined;
  const words = chart.lines.map((line) =>
    h("span", { class: "key" }, h("i", { class: `swatch ${line.dash ? "dashed" : ""}`, "data-colour": line.colour }), here ? `${line.name} ${chart.format(line.values[index])}` : line.name));
  fill($(chart.read), here ? `${day(chart.at[index], chart.step)}: ` : "", words);
}

/** chart: {place, read, table, at, step, format, least, lines: [{name, values, colour, fill, dash}]}; ids of elements. */
export function draw(chart) {
  const place = $(chart.place);
  drawn.get(chart.place)?.plot?.destroy();
  const plot = chart.at.length ? new uPlot(options(place, chart), [chart.at, ...chart.lines.map((line) => line.values)]) : null;
  fill(place, plot ? plot.root : h("p", { class: "empty" }, "Nothing in this time."));
  plot?.root.setAttribute("aria-hidden", "true");
  drawn.set(chart.place, { chart, plot });
  read(chart, null);
  const details = $(chart.table);
  details.ontoggle = () => details.open && tabulate(chart, details.querySelector("div"));
  if (details.open) tabulate(chart, details.querySelector("div"));
}

function tabulate(chart, place) {
  const columns = [
    { title: "Time", of: (index) => day(chart.at[index], chart.step) },
    ...chart.lines.map((line) => ({ title: line.name, number: true, of: (index) => chart.format(line.values[index]) })),
  ];
  fill(place, table(columns, chart.at.map((_, index) => index).reverse()));
}

export function redraw() {
  for (const { chart } of drawn.values()) draw(chart);
}

new ResizeObserver(() => {
  for (const [name, { plot }] of drawn) {
    const width = $(name).clientWidth;
    if (plot && width && width !== plot.width) plot.setSize({ width, height: HEIGHT });
  }
}).observe(document.documentElement);
