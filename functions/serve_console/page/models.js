// Which model is in service, which was before, and the newest ones.

import { chip, empty, facts, h, table } from "./dom.js"
import { atDate, count, fixed, since, zone } from "./format.js"

export const models = {
  title: "Models",
  state: {},
  load: (api) => api.get("models"),
  draw: (data) => data.active === null && data.versions.length === 0
    ? empty("No model is published yet.", "Run the training state machine; until then every answer is empty.")
    : [
      h("p", { class: "lead" }, `What serves, and what could serve again. Times are in ${zone}.`),
      data.active && inService(data.active),
      versions(data.versions),
      h("p", { class: "soft" },
        "NDCG@10 and hit rate are those of the evaluation before each publish, on users and days held out: ",
        "compare models of nearby days. Rolling back: python -m training.rollback."),
    ],
}

function inService(active) {
  return h("section", { class: "card" },
    h("h2", {}, "In service"),
    facts([
      ["Version", h("code", {}, active.version)],
      [active.rolled_back ? "Put back in service" : "Published", `${atDate(active.published_at)} (${since(active.published_at)})`],
      ["Before", active.previous ? h("code", {}, active.previous) : "none: it is the first"],
    ]),
    active.rolled_back && h("p", { class: "warning" }, "This is a rollback: see what is wrong with the model before training publishes the next."))
}

function versions(found) {
  if (found.length === 0) return empty("No published model was found in the bucket.", "Its files may have been removed.")
  const heads = ["Version", "State", "Trained", "Data until", "Events", "Users", "Items", "NDCG@10", "Hit rate @10", "Code"]
  const numbers = new Set(["Events", "Users", "Items", "NDCG@10", "Hit rate @10"])
  return h("section", { class: "card" }, table("Published models, the newest first", heads.map((head) => (numbers.has(head) ? [head, "number"] : head)),
    found.map((one) => [
      h("code", {}, one.version),
      one.state === "in service" ? chip("in service", "good") : one.state ? chip(one.state) : "–",
      atDate(one.trained_at),
      atDate(one.data_to),
      ...[count(one.events), count(one.users), count(one.items), fixed(one.quality?.ndcg?.model, 4), fixed(one.quality?.hit_rate?.model, 4)]
        .map((value) => [value, "number"]),
      h("code", {}, one.code_version),
    ])))
}
