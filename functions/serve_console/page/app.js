// Chooses the section by the address, keeps it fresh, and says what goes wrong.

import { alarms, ringing } from "./alarms.js"
import { Api, NotSignedIn, Refused } from "./api.js"
import { clicks } from "./clicks.js"
import { byId, h } from "./dom.js"
import { experiments } from "./experiments.js"
import { atClock } from "./format.js"
import { models } from "./models.js"
import { SignIn, SignInError } from "./sign_in.js"
import { users } from "./users.js"

const SECTIONS = { clicks, experiments, users, models, alarms }
const FIRST = "clicks"
const EVERY_MS = 30_000
const MINUTE_MS = 60_000
const CARD_PADDING = 42

const page = { api: null, signIn: null, name: null, data: null, drawn: "", paused: false, timer: null, rang: null, round: 0 }

async function start() {
  try {
    const config = await (await fetch("console/config.json")).json()
    byId("environment").textContent = config.environment
    byId("environment").hidden = false
    byId("open-note").hidden = config.sign_in !== null
    page.signIn = config.sign_in && new SignIn(config.sign_in)
    page.api = new Api(page.signIn)
    await page.signIn?.finish()
  } catch (error) {
    if (!(error instanceof SignInError)) return failToStart()
    return askToSignIn(`The sign-in failed. ${error.message}`)
  }
  if (page.signIn && (await page.signIn.token().catch(() => null)) === null) return askToSignIn()
  for (const id of ["controls", "sections"]) byId(id).hidden = false
  byId("sign-out").hidden = page.signIn === null
  addEventListener("hashchange", () => go(true))
  go(false)
}

function askToSignIn(problem = "") {
  clearTimeout(page.timer)
  byId("main").removeAttribute("aria-busy")
  for (const id of ["controls", "sections"]) byId(id).hidden = true
  byId("title").textContent = "Attune console"
  show("problem", problem && h("p", { class: "problem", role: "alert" }, problem))
  show("view", h("div", { class: "card sign-in" },
    h("p", {}, "Recommendations, experiments, models and alarms of this deployment, for its operators."),
    h("button", { type: "button", class: "primary", id: "sign-in", onclick: () => page.signIn.start() }, "Sign in")))
  document.title = "Sign in · Attune console"
}

function failToStart() {
  byId("main").removeAttribute("aria-busy")
  show("view")
  fail("The console could not start.", "Reload the page.")
}

function fail(message, advice) {
  show("problem", h("p", { class: "problem", role: "alert" }, h("strong", {}, message), " ", advice))
}

function go(focus) {
  page.name = location.hash.slice(1) in SECTIONS ? location.hash.slice(1) : FIRST
  page.data = undefined
  page.drawn = ""
  const { title } = SECTIONS[page.name]
  byId("title").textContent = title
  document.title = `${title} · Attune console`
  for (const link of byId("sections").children) {
    if (link.hash === `#${page.name}`) link.setAttribute("aria-current", "page")
    else link.removeAttribute("aria-current")
  }
  show("problem")
  show("view", h("p", { class: "soft" }, "Loading …"))
  if (focus) byId("main").focus()
  return refresh()
}

// Loads the section on view, and the alarms for the count beside their name; the later call wins.
async function refresh(announcement = "", quiet = false) {
  clearTimeout(page.timer)
  const round = ++page.round
  const section = SECTIONS[page.name]
  byId("main").setAttribute("aria-busy", "true")
  try {
    const [data] = await Promise.all([section.load(page.api, section.state), countAlarms()])
    if (round !== page.round) return
    page.data = data
    draw({ quiet })
    show("problem")
    byId("updated").textContent = `Updated ${atClock(Date.now())}`
    if (announcement) announce(announcement)
  } catch (error) {
    if (round !== page.round) return
    if (error instanceof NotSignedIn) return askToSignIn("Your session has ended: sign in again.")
    explain(error)
  } finally {
    if (round === page.round) byId("main").removeAttribute("aria-busy")
  }
  if (!page.paused) page.timer = setTimeout(tick, EVERY_MS)
}

function explain(error) {
  const [message, advice] = error instanceof Refused
    ? [error.message, error.advice]
    : ["The page could not show the answer.", "Reload the page; if that does not help, report it."]
  if (!(error instanceof Refused)) console.error(error)
  const before = page.data === undefined ? "" : " What is shown is from before."
  fail(message, `${advice}${before}`)
  if (page.data === undefined) show("view", h("button", { type: "button", id: "again", onclick: () => refresh() }, "Try again"))
}

async function countAlarms() {
  const found = ringing(await alarms.load(page.api))
  byId("ringing").replaceChildren(String(found.length), h("span", { class: "unseen" }, " ringing"))
  byId("ringing").hidden = found.length === 0
  const names = found.map((one) => one.title).join(", ")
  if (page.rang !== null && names && names !== page.rang) announce(`Ringing: ${names}`)
  page.rang = names
}

// Nobody looks at a hidden page: it is brought up to date when it is seen again.
function tick() {
  if (document.hidden) addEventListener("visibilitychange", () => refresh("", true), { once: true })
  else refresh("", true)
}

// Draws anew what changed, and every minute for the sake of "a minute ago"; puts the focus back where it was.
// A refresh nobody asked for leaves alone a form that somebody is filling in.
function draw({ quiet = false, force = false } = {}) {
  if (quiet && document.activeElement?.matches("input, select")) return
  const section = SECTIONS[page.name]
  const { as_of: _, ...content } = page.data ?? {}
  const drawn = JSON.stringify([page.name, section.state, content, Math.floor(Date.now() / MINUTE_MS)])
  if (drawn === page.drawn && !force) return
  page.drawn = drawn
  const focused = document.activeElement?.id
  const width = Math.max(280, byId("view").clientWidth - CARD_PADDING)
  show("view", section.draw(page.data, { state: section.state, reload: refresh, width }))
  if (focused && document.activeElement === document.body) byId(focused)?.focus()
}

const show = (id, ...content) =>
  byId(id).replaceChildren(...content.flat(Infinity).filter((child) => child !== null && child !== "" && child !== false && child !== undefined))

const announce = (text) => { byId("announcement").textContent = text }

byId("refresh").addEventListener("click", () => refresh("Up to date."))
byId("pause").addEventListener("click", () => {
  page.paused = !page.paused
  byId("pause").setAttribute("aria-pressed", String(page.paused))
  byId("pause").textContent = page.paused ? "Resume" : "Pause"
  announce(page.paused ? "Paused: the page stays as it is." : "The page refreshes itself.")
  clearTimeout(page.timer)
  if (!page.paused) refresh()
})
byId("sign-out").addEventListener("click", () => page.signIn.end())
let resized = null
addEventListener("resize", () => {
  clearTimeout(resized)
  resized = setTimeout(() => page.data !== undefined && draw({ force: true }), 150)
})

start()
