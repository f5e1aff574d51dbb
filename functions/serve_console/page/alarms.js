// All alarms of this environment, ringing ones first.

import { chip, empty, h } from "./dom.js"
import { atDate, since, zone } from "./format.js"

const STATES = {
  ALARM: ["▲ Ringing", "bad"],
  INSUFFICIENT_DATA: ["? No data", "warn"],
  OK: ["✓ Quiet", "good"],
}

export const alarms = {
  title: "Alarms",
  state: {},
  load: (api) => api.get("alarms"),
  draw: (data) => data.alarms.length === 0
    ? empty("No alarm of this environment was found.", "Deploy the observability stack.")
    : [
      h("p", { class: "lead" }, summary(data.alarms), ` Times are in ${zone}.`),
      h("ul", { class: "alarms" }, data.alarms.map(alarm)),
    ],
}

export const ringing = (data) => data.alarms.filter((one) => one.state === "ALARM")

function summary(found) {
  const of = (state) => found.filter((one) => one.state === state).length
  return `${of("ALARM")} ringing, ${of("INSUFFICIENT_DATA")} without data, ${of("OK")} quiet.`
}

function alarm(one) {
  const [text, kind] = STATES[one.state] ?? [one.state, "warn"]
  return h("li", { class: `card alarm ${kind}` },
    h("div", { class: "alarm-head" },
      chip(text, kind),
      h("h2", {}, one.title),
      one.composite && chip("composite"),
      !one.tells && chip("tells nobody by itself")),
    h("p", {}, advice(one)),
    h("p", { class: "soft" }, "Since ", h("time", { datetime: one.since }, atDate(one.since)), ` (${since(one.since)}). `, one.reason),
    h("p", { class: "alarm-foot" }, runbook(one), h("code", { class: "soft" }, one.name)))
}

// The runbook has a line of its own.
const advice = ({ description, runbook: address }) => (address ? description.replace(address, "").trim() : description) || "No description."

// Descriptions are text of this deployment; still only an address on the web becomes a link.
function runbook({ runbook: address, title }) {
  if (!address) return null
  if (!address.startsWith("https://")) return h("span", {}, "Runbook: ", h("code", {}, address))
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, `Runbook for ${title}`)
}
