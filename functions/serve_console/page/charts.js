// Charts over time with bands, and intervals beside each other. Colours never stand alone: lines differ in
// dashes and are named in the legend, and every chart stands beside a table of its figures.

import { h, svg } from "./dom.js"
import { atDay, atMinute } from "./format.js"

const HEIGHT = 220
const [LEFT, RIGHT, TOP, BOTTOM] = [56, 12, 12, 28]
const STYLES = 4
const DAY_MS = 86_400_000

const styleOf = (index) => `series-${index % STYLES}`

// At most `most` round values that cover [low, high].
export function ticks(low, high, most = 5) {
  const rough = (high - low || 1) / most
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * [1, 2, 5, 10].find((factor) => power * factor >= rough)
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => (first + index) * step)
}

const scale = ([low, high], [from, to]) => (value) => from + ((value - low) / (high - low || 1)) * (to - from)

// `series`: [{name, index, points: [{x, y, low, high}]}], x in milliseconds; a point without y breaks the line.
// `index` is the variant's place in its experiment, so that a variant looks the same on every chart.
export function timeChart({ title, series, width, show, zero = false, start, end }) {
  const points = series.flatMap((one) => one.points)
  const values = points.flatMap(({ y, low, high }) => [y, low, high]).filter(Number.isFinite)
  if (values.length === 0) return null
  const moments = points.map((point) => point.x)
  const xs = [start ?? Math.min(...moments), end ?? Math.max(...moments)]
  if (xs[0] === xs[1]) { xs[0] -= DAY_MS / 2; xs[1] += DAY_MS / 2 }
  const ys = [Math.min(0, ...values), Math.max(...values, zero ? 0 : 1e-6)]
  const margin = (ys[1] - ys[0]) * 0.06
  ys[1] += margin
  if (ys[0] < 0) ys[0] -= margin
  const x = scale(xs, [LEFT, width - RIGHT])
  const y = scale(ys, [HEIGHT - BOTTOM, TOP])
  return h("figure", { class: "chart" },
    h("figcaption", {}, title, legend(series)),
    svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": title },
      ticks(...ys).map((tick) => [
        svg("line", { class: tick === 0 ? "axis" : "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
        svg("text", { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, show(tick)),
      ]),
      timeTicks(xs, width).map(([moment, text, anchor]) =>
        svg("text", { x: x(moment), y: HEIGHT - 8, "text-anchor": anchor }, text)),
      series.map((one) => svg("g", { class: styleOf(one.index) },
        runs(one.points, (point) => Number.isFinite(point.low) && Number.isFinite(point.high)).map((run) =>
          svg("path", { class: "band", d: band(run, x, y) })),
        runs(one.points, (point) => Number.isFinite(point.y)).map((run) => [
          svg("path", { class: "line", d: path(run.map((point) => [x(point.x), y(point.y)])) }),
          run.length < 40 && run.map((point) => svg("circle", { cx: x(point.x), cy: y(point.y), r: 2.5 })),
        ])))))
}

function timeTicks([first, last], width) {
  const parts = Math.max(1, Math.min(6, Math.floor((width - LEFT - RIGHT) / 90)))
  const show = last - first > 2 * DAY_MS ? atDay : atMinute
  return Array.from({ length: parts + 1 }, (_, index) => {
    const anchor = index === 0 ? "start" : index === parts ? "end" : "middle"
    const moment = first + ((last - first) * index) / parts
    return [moment, show(moment), anchor]
  })
}

function runs(points, kept) {
  const found = [[]]
  for (const point of points) {
    if (kept(point)) found.at(-1).push(point)
    else if (found.at(-1).length) found.push([])
  }
  return found.filter((run) => run.length)
}

const at = ([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`

const path = (places) => `M${places.map(at).join("L")}`

function band(run, x, y) {
  const upper = run.map((point) => [x(point.x), y(point.high)])
  const lower = run.map((point) => [x(point.x), y(point.low)]).reverse()
  return `${path([...upper, ...lower])}Z`
}

const legend = (series) =>
  h("ul", { class: "legend" }, series.map((one) => h("li", { class: styleOf(one.index) }, mark(), one.name)))

const mark = () =>
  svg("svg", { width: 28, height: 10, "aria-hidden": "true" },
    svg("path", { class: "line", d: "M0,5L28,5" }))

// One interval on an axis that the rows of a table share; `middle` is drawn as a dot.
export function interval({ ends, middle, domain, index = 0, label }) {
  if (!ends) return "–"
  const [width, height] = [140, 18]
  const x = scale(domain, [4, width - 4])
  const clamp = (value) => Math.min(width - 2, Math.max(2, x(value)))
  return svg("svg", { class: `interval ${styleOf(index)}`, width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
    domain[0] < 0 && domain[1] > 0 && svg("line", { class: "axis", x1: x(0), x2: x(0), y1: 0, y2: height }),
    svg("line", { class: "whisker", x1: clamp(ends[0]), x2: clamp(ends[1]), y1: height / 2, y2: height / 2 }),
    Number.isFinite(middle) && svg("circle", { cx: clamp(middle), cy: height / 2, r: 4 }))
}

export function bar(share, label) {
  const width = 120
  return svg("svg", { class: "share", width, height: 10, viewBox: `0 0 ${width} 10`, role: "img", "aria-label": label },
    svg("rect", { class: "track", width, height: 10, rx: 5 }),
    svg("rect", { class: "fill", width: Math.max(4, width * share), height: 10, rx: 5 }))
}
