// Numbers and times for people, in the language and time zone of the browser.

const DASH = "–"
const number = new Intl.NumberFormat(undefined)
const compact = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 })
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" })
const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" })
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" })
const dateThisYear = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" })
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" })
const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" })
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]]

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone

const known = (value) => value !== null && value !== undefined

export const count = (value) => (known(value) ? number.format(value) : DASH)
export const decimal = (value) => (known(value) ? compact.format(value) : DASH)
export const fixed = (value, digits) => (known(value) ? value.toFixed(digits) : DASH)
export const percent = (value, digits = 2) => (known(value) ? `${(100 * value).toFixed(digits)}%` : DASH)
export const range = (ends, show) => (known(ends) ? `${show(ends[0])} to ${show(ends[1])}` : DASH)

export function lift(value, digits = 1) {
  if (!known(value)) return DASH
  const text = (100 * Math.abs(value)).toFixed(digits)
  return Number(text) === 0 ? "0%" : `${value < 0 ? "−" : "+"}${text}%`
}

export function pValue(value) {
  if (!known(value)) return DASH
  return value < 0.0001 ? "< 0.0001" : value.toFixed(4)
}

export const atClock = (moment) => clock.format(new Date(moment))
export const atMinute = (moment) => minute.format(new Date(moment))
export function atDate(moment) {
  if (!known(moment)) return DASH
  const then = new Date(moment)
  return (then.getFullYear() === new Date().getFullYear() ? dateThisYear : date).format(then)
}

export const atDay = (moment) => day.format(new Date(moment))

export function since(moment, now = Date.now()) {
  const seconds = (new Date(moment) - now) / 1000
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1)
  return ago.format(Math.round(seconds / length), unit)
}

const NAMES = { ctr: "CTR" }

export const words = (code) => {
  if (code in NAMES) return NAMES[code]
  const text = code.replaceAll("_", " ").trim()
  return text.charAt(0).toUpperCase() + text.slice(1)
}
