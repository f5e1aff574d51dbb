// Results of the experiments, as the last analysis left them.

import { interval, timeChart } from "./charts.js"
import { chip, empty, facts, h, table } from "./dom.js"
import { atDate, count, decimal, fixed, lift, pValue, percent, range, since, words, zone } from "./format.js"

const DECISIONS = {
  ship: ["Ship", "good"],
  keep_running: ["Keep running", "calm"],
  stop_harmful: ["Stop: harmful", "bad"],
  stop_futile: ["Stop: no difference", "warn"],
  broken: ["Broken", "bad"],
}

export const experiments = {
  title: "Experiments",
  state: {},
  load: (api) => api.get("experiments"),
  draw: (data, { width }) => [
    h("p", { class: "lead" }, `What the last analysis found. Times are in ${zone}.`),
    data.experiments.length === 0
      ? empty("No experiment is defined.", "Define one in the experiments file and deploy it.")
      : data.experiments.map((one) => card(one, width)),
  ],
}

function card(experiment, width) {
  const { results } = experiment
  const split = experiment.variants.map((one) => `${one.name} ${percent(one.weight, 0)}`).join(", ")
  return h("section", { class: "card" },
    h("h2", {}, experiment.name, h("span", { class: "soft" }, ` on ${experiment.surface}`)),
    h("p", { class: "soft" }, `${percent(experiment.coverage, 0)} of users take part: ${split}.`),
    results === null
      ? empty("Not analysed yet.", "The first results come with the hourly analysis after the first exposures.")
      : [verdict(results), sampleRatio(results), curve(results, width), variants(results), comparisons(results), plan(results)])
}

function verdict(results) {
  const [name, kind] = DECISIONS[results.decision] ?? [words(results.decision), "calm"]
  return h("div", { class: `verdict ${kind}` },
    h("p", { class: "decision" }, name),
    h("p", {}, results.verdict),
    h("p", { class: "soft" }, `As of ${atDate(results.as_of)} (${since(results.as_of)}).`))
}

function sampleRatio({ sample_ratio: ratio, variants: arms }) {
  if (!ratio) return null
  const seen = arms.map((one, index) => `${one.name} ${count(ratio.observed[index])}`).join(", ")
  const tested = `Sequential p-value ${pValue(ratio.always_valid_p_value)}; at this look alone ${pValue(ratio.p_value)}.`
  return h("p", { class: ratio.mismatch ? "warning" : "soft" },
    ratio.mismatch
      ? `Sample ratio mismatch: users are not split as configured (${seen}). No figure below can be trusted. ${tested}`
      : `Users are split as configured (${seen}). ${tested}`)
}

function curve(results, width) {
  const order = results.variants.map((one) => one.name)
  const series = Object.entries(Object.groupBy(results.looks ?? [], (look) => look.variant))
  if (series.length === 0) return null
  return timeChart({
    title: "Lift of the goal over the control, with the interval that holds however often one looks",
    series: series.map(([name, looks]) => ({
      name,
      index: order.indexOf(name),
      points: looks.map((look) => ({
        x: Date.parse(look.at),
        y: look.lift ?? NaN,
        low: look.always_valid?.[0],
        high: look.always_valid?.[1],
      })),
    })),
    width,
    zero: true,
    show: (value) => lift(value, 0),
  })
}

function variants(results) {
  const heads = ["Variant", "CTR", "95% interval", "Users", "Clicks", "Impressions", "Conversions", "Revenue"]
  return table(`${results.experiment}: variants`, heads.map((head, index) => (index === 0 ? head : [head, "number"])),
    results.variants.map((one, index) => [
      index === 0 ? h("span", {}, one.name, " ", chip("control")) : one.name,
      ...[percent(one.ctr), range(one.ctr_interval, percent), count(one.users), count(one.clicks), count(one.impressions),
        count(one.conversions), decimal(one.revenue)].map((value) => [value, "number"]),
    ]))
}

const SHARES = new Set(["ctr", "conversion_rate"])

const shown = (metric, value) => (SHARES.has(metric) ? percent(value) : fixed(value, 4))

function comparisons(results) {
  const rows = results.variants.flatMap((variant, index) =>
    (variant.comparisons ?? []).map((one) => ({ variant: variant.name, index, ...one })))
  if (rows.length === 0) return null
  const ends = rows.flatMap((one) => one.always_valid ?? one.interval ?? [])
  const domain = [Math.min(-0.01, ...ends), Math.max(0.01, ...ends)]
  const numbers = ["Lift", "Always-valid interval", "Control", "Variant", "This look's interval", "p, always valid", "p, adjusted"]
  const heads = ["Metric", "Of", ...numbers.map((head) => [head, "number"]), "On one scale"]
  return [methods(rows), table(`${results.experiment}: variants against the control`, heads, rows.map((one) => [
    h("span", {}, words(one.metric), " ", chip(one.role), one.harmed && [" ", chip("harmed", "bad")]),
    one.variant,
    [h("strong", {}, lift(one.lift)), "number"],
    [range(one.always_valid, lift), "number"],
    [shown(one.metric, one.control), "number"],
    [shown(one.metric, one.value), "number"],
    [range(one.interval, lift), "number"],
    [pValue(one.always_valid_p_value), "number"],
    [pValue(one.adjusted_p_value ?? one.p_value), "number"],
    interval({
      ends: one.always_valid,
      middle: one.lift,
      domain,
      index: one.index,
      label: `${one.metric} of ${one.variant}: ${lift(one.lift)}, always-valid interval ${range(one.always_valid, lift)}`,
    }),
  ]))].reverse()
}

const known = (value) => value !== null && value !== undefined

function methods(rows) {
  const ways = new Map(rows.map((one) =>
    [one.metric, `${words(one.metric)}, ${one.unit}: ${one.method}${known(one.margin) ? `; a loss of ${percent(one.margin, 1)} is accepted` : ""}.`]))
  return h("p", { class: "soft" }, [...ways.values()].join(" "))
}

function plan(results) {
  const rows = [
    ["Users", count(results.users)],
    ["Seen in more than one variant, left out", count(results.crossed_over)],
    ["Running since", atDate(results.started_at)],
  ]
  if (results.plan) {
    const { effect, power, users_needed: users, days_left: days } = results.plan
    rows.push(["Looks for a lift of", `${percent(effect, 1)}, found with probability ${percent(power, 0)}`])
    rows.push(["Users needed in each variant", count(users)])
    rows.push(["Days left at present traffic", known(days) ? decimal(days) : "unknown: there is no traffic"])
  }
  return facts(rows)
}
