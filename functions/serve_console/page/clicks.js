// Click-through rate by variant over the last hours.

import { interval, timeChart } from "./charts.js"
import { empty, h, table } from "./dom.js"
import { count, percent, range, zone } from "./format.js"

const WINDOWS = [["1", "hour"], ["3", "3 hours"], ["24", "24 hours"], ["168", "7 days"]]

export const clicks = {
  title: "Click rates",
  state: { hours: "3" },
  load: (api, state) => api.get("click-rates", { hours: state.hours }),
  draw(data, { state, reload, width }) {
    const experiments = Map.groupBy(data.variants, (one) => one.experiment)
    return [
      h("p", { class: "lead" }, "What share of the items shown was clicked, by variant."),
      chooser(state, reload),
      experiments.size === 0
        ? empty("No experiment is defined.", "Variants appear here as soon as the definitions name them.")
        : [...experiments].map(([name, variants]) => card(name, variants, data, width)),
      h("p", { class: "soft" },
        "Intervals are Wilson's, at 95%, and take impressions for independent. Those of one user are not: ",
        "to decide, read the experiment's results, whose unit is the user. ", `Times are in ${zone}.`),
    ]
  },
}

function chooser(state, reload) {
  return h("fieldset", { class: "choice" },
    h("legend", {}, "Last"),
    WINDOWS.map(([hours, text]) => h("button", {
      type: "button",
      id: `hours-${hours}`,
      "aria-pressed": String(state.hours === hours),
      onclick: () => { state.hours = hours; reload() },
    }, text)))
}

function card(name, variants, data, width) {
  const shown = variants.some((one) => one.impressions > 0)
  return h("section", { class: "card" },
    h("h2", {}, name, h("span", { class: "soft" }, ` on ${variants[0].surface}`)),
    shown
      ? [chart(variants, data, width), rates(name, variants)]
      : empty("Nothing was shown in these hours.", "Choose a longer time, or see whether impressions are sent with their recommendation_id."))
}

function chart(variants, data, width) {
  const points = (one) => one.points.map((point) => ({
    x: Date.parse(point.at),
    y: point.impressions ? point.clicks / point.impressions : NaN,
    low: point.interval?.[0],
    high: point.interval?.[1],
  }))
  return timeChart({
    title: `CTR every ${data.period_seconds === 3600 ? "hour" : `${data.period_seconds / 60} minutes`}`,
    series: variants.map((one, index) => ({ name: one.variant, index, points: points(one) })),
    start: Date.parse(data.start),
    end: Date.parse(data.end),
    width,
    show: (value) => percent(value, 1),
  })
}

function rates(name, variants) {
  const ends = variants.flatMap((one) => one.interval ?? [])
  return table(`${name}: the whole time`, ["Variant", ...["CTR", "95% interval", "Clicks", "Impressions"].map((head) => [head, "number"]), "On one scale"],
    variants.map((one, index) => [
      one.variant,
      [h("strong", {}, percent(one.rate)), "number"],
      [range(one.interval, percent), "number"],
      [count(one.clicks), "number"],
      [count(one.impressions), "number"],
      interval({
        ends: one.interval,
        middle: one.rate,
        domain: [Math.min(...ends), Math.max(...ends)],
        index,
        label: `${one.variant}: ${percent(one.rate)}, interval ${range(one.interval, percent)}`,
      }),
    ]))
}
