// What one user would be shown by each variant, and what is known of them. Nothing of it is put in the address.

import { bar } from "./charts.js"
import { chip, empty, facts, h, table } from "./dom.js"
import { atDate, count, decimal, fixed, percent, since, words, zone } from "./format.js"

const LIMITS = ["10", "20", "50"]

export const users = {
  title: "Users",
  state: { user: "", surface: "home", limit: "10", typed: null },
  load: async (api, state) =>
    (state.user ? api.get(`users/${encodeURIComponent(state.user)}`, { surface: state.surface, limit: state.limit }) : null),
  draw: (data, { state, reload }) => [
    h("p", { class: "lead" }, "What a user would be shown by each variant, why, and from which source. Looking does not count as an exposure."),
    form(state, reload),
    data === null
      ? empty("Nobody is chosen.", "Enter the id of a user as your application sends it with events.")
      : answer(data, state),
  ],
}

function form(state, reload) {
  const field = (id, label, input) => h("div", { class: "field" }, h("label", { for: id }, label), input)
  const submit = (event) => {
    event.preventDefault()
    const given = new FormData(event.target)
    const [user, surface] = [given.get("user").trim(), given.get("surface").trim() || "home"]
    Object.assign(state, { user, surface, limit: given.get("limit"), typed: null })
    reload(`Recommendations for ${state.user} on ${state.surface}`)
  }
  // Kept, for the form is drawn anew with every answer.
  const type = (event) => { state.typed = Object.fromEntries(new FormData(event.currentTarget)) }
  const shown = state.typed ?? state
  return h("form", { class: "ask", onsubmit: submit, oninput: type },
    field("user", "User id", h("input", { id: "user", name: "user", value: shown.user, required: true, maxlength: 128, autocomplete: "off", spellcheck: "false" })),
    field("surface", "Surface", h("input", { id: "surface", name: "surface", value: shown.surface, pattern: "[a-z0-9_\\-]{1,32}", list: "surfaces", autocomplete: "off" })),
    h("datalist", { id: "surfaces" }, ["home", "product"].map((name) => h("option", { value: name }))),
    field("limit", "Items", h("select", { id: "limit", name: "limit" }, LIMITS.map((limit) => h("option", { selected: limit === shown.limit }, limit)))),
    h("button", { type: "submit", class: "primary" }, "Show"))
}

function answer(data, state) {
  const served = data.variants.find((one) => one.served)
  const places = new Map((served?.items ?? []).map((item, index) => [item.item_id, index + 1]))
  return [
    h("h2", {}, state.user, h("span", { class: "soft" }, ` on ${data.surface}`)),
    h("p", {}, assignment(data), " ", h("span", { class: "soft" }, "Known to logs as ", h("code", {}, data.user_key), ".")),
    h("div", { class: "columns" }, data.variants.toSorted((one, other) => other.served - one.served).map((one) => variant(one, places))),
    profile(data.profile),
  ]
}

function assignment({ assignments, variants }) {
  if (assignments.length > 0) {
    return assignments.map(([experiment, name]) => `Takes part in ${experiment} as ${name}.`).join(" ")
  }
  return variants.some((one) => one.experiment)
    ? "Takes no part in the experiment, and gets the control."
    : "No experiment runs on this surface."
}

function variant(one, places) {
  return h("section", { class: `card variant ${one.served ? "served" : ""}` },
    h("h3", {}, one.variant, " ", one.served ? chip("gets this", "good") : null),
    facts([
      ["Experiment", one.experiment ?? "none"],
      ["Label", one.label || "–"],
      ["Source", words(one.source)],
      ["Chooses", choices(one.changes)],
      ["Model", one.model_version ? h("code", {}, one.model_version) : "none"],
    ]),
    one.items.length === 0
      ? empty("An empty list.", "Nothing is published that this user may see.")
      : table(`${one.variant}: items in order`, [["Place", "number"], "Item", ["Score", "number"]],
        one.items.map((item, index) => row(item, index + 1, one.served, places))))
}

const choices = (changes) => Object.entries(changes).map(([name, value]) =>
  `${name.replaceAll("_", " ")} ${typeof value === "object" ? Object.entries(value).map((pair) => pair.join(" ")).join(", ") : value}`).join("; ") || "nothing"

function row(item, place, served, places) {
  const details = [item.category, item.reason && words(item.reason)]
  if (item.propensity !== undefined && item.propensity < 1) details.push(`drawn with probability ${percent(item.propensity, 0)}`)
  if (!served) details.push(places.has(item.item_id) ? `place ${places.get(item.item_id)} in what they get` : "not in what they get")
  return [
    [String(place), "number"],
    h("div", {},
      h("div", {}, item.title ?? item.item_id),
      h("div", { class: "soft" }, item.title && [h("code", {}, item.item_id), " "], details.filter(Boolean).join(" · "))),
    [fixed(item.score, 4), "number"],
  ]
}

function profile(known) {
  if (known === null) return empty("This user is not known.", "Nothing has arrived from them yet: what is shown is what newcomers get.")
  const counts = Object.entries(known.counts).map(([kind, number]) => `${kind.replaceAll("_", " ")} ${count(number)}`)
  const attributes = Object.entries(known.attributes).map(([name, value]) => `${name} ${value}`)
  return h("section", { class: "card" },
    h("h2", {}, "Profile"),
    facts([
      ["First seen", atDate(known.first_at)],
      ["Last seen", `${atDate(known.last_at)} (${since(known.last_at)})`],
      ["Events", counts.join(", ")],
      ["Spent", decimal(known.spent)],
      ["Attributes", attributes.join(", ") || "none"],
      ["Surfaces", known.surfaces.join(", ") || "none"],
      ["Disliked or dismissed", known.disliked.join(", ") || "nothing"],
      ["Consent", known.consent ?? "not asked"],
      ["Revision", count(known.revision)],
    ]),
    known.categories.length > 0 && table("Categories of the recent acts", ["Category", ["Share", "number"], "Of all"],
      known.categories.map(([name, share]) => [name, [percent(share, 0), "number"], bar(share, `${name}: ${percent(share, 0)}`)])),
    known.recent.length > 0 && table(`Recent acts, the latest on each item, times in ${zone}`, ["Item", "Act", "When"],
      known.recent.map((act) => [
        h("div", {}, h("div", {}, act.title ?? act.item_id), h("div", { class: "soft" }, act.title && [h("code", {}, act.item_id), " "], act.category)),
        act.value === null ? words(act.kind) : `${words(act.kind)} ${decimal(act.value)}`,
        h("time", { datetime: act.at }, since(act.at)),
      ])))
}
