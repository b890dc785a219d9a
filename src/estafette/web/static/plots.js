// Time series with a cursor, drawn over the server's chart from the table beside it. Without this file the chart and the table stay.
const style = getComputedStyle(document.documentElement);
const colour = (key) => style.getPropertyValue("--" + key).trim() || "#475569";

for (const figure of document.querySelectorAll("figure[data-plot]")) {
  const table = figure.parentElement.querySelector("table.plot"), chart = figure.querySelector("svg.chart");
  if (!table || !chart || !window.uPlot) continue;
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 3) continue;
  const heads = [...table.tHead.rows[0].cells].filter((cell) => cell.dataset.key);
  const parts = heads.map((_, i) => rows.map((row) => Number(row.cells[i + 1].dataset.value)));
  // stacked: every line is the sum of the parts below it and its own; the legend shows the part alone
  const sums = parts.map((_, i) => rows.map((_row, at) => parts.slice(0, i + 1).reduce((sum, part) => sum + part[at], 0)));
  const times = rows.map((row) => Number(row.cells[0].dataset.at));
  const ticks = rows.map((row) => row.cells[0].dataset.tick);
  const label = rows.map((row) => row.cells[0].textContent);
  const words = heads.map((cell) => cell.textContent);
  const series = heads.map((cell, i) => ({
    label: words[i], stroke: colour(cell.dataset.key), fill: colour(cell.dataset.key), width: 1, points: { show: false }, paths: window.uPlot.paths.bars({ size: [0.8, 60] }),
    value: (_plot, _value, _series, at) => (at === null ? "–" : parts[i][at].toLocaleString(document.documentElement.lang)),
  }));
  const box = document.createElement("div");
  box.setAttribute("aria-hidden", "true");
  chart.before(box);
  const axis = { stroke: style.getPropertyValue("--soft"), grid: { stroke: style.getPropertyValue("--line"), width: 1 }, ticks: { show: false } };
  const step = times[1] - times[0];
  const plot = new window.uPlot({
    width: box.clientWidth, height: 240, tzDate: (ts) => window.uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"),
    scales: { x: { range: [times[0] - step / 2, times[times.length - 1] + step / 2] }, y: { range: (_u, _low, high) => [0, high || 1] } },
    axes: [{ ...axis, values: (_u, at) => at.map((time) => { const i = times.indexOf(time); return i < 0 ? "" : ticks[i]; }), splits: () => times.filter((_, i) => i % Math.ceil(times.length / 8) === 0) }, axis],
    series: [{ label: table.tHead.rows[0].cells[0].textContent, value: (_u, _v, _s, at) => (at === null ? "–" : label[at]) }, ...series.slice().reverse()],
  }, [times, ...sums.slice().reverse()], box);
  chart.classList.add("hidden");
  figure.querySelector(".legend")?.classList.add("hidden");
  new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: 240 })).observe(box);
}
