// The data behind the page. Addresses are relative to the page's, wherever the API is mounted.

export class NotSignedIn extends Error {}

export class Refused extends Error {
  constructor(message, advice) {
    super(message)
    this.advice = advice
  }
}

const TIMEOUT_MS = 25_000

export class Api {
  #signIn

  constructor(signIn) {
    this.#signIn = signIn
  }

  async get(path, parameters = {}) {
    const headers = {}
    if (this.#signIn !== null) {
      const token = await this.#signIn.token().catch(() => {
        throw new Refused("The sign-in can't be reached to renew your session.", "The next try is automatic.")
      })
      if (token === null) throw new NotSignedIn()
      headers.authorization = `Bearer ${token}`
    }
    const query = new URLSearchParams(parameters).toString()
    const response = await reached(`admin/${path}${query && `?${query}`}`, headers)
    if (response.ok) return response.json()
    if (response.status === 401 && this.#signIn !== null) {
      this.#signIn.forget()
      throw new NotSignedIn()
    }
    throw await refusal(response)
  }
}

async function reached(address, headers) {
  try {
    return await fetch(address, { headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch {
    throw new Refused("The platform can't be reached.", "See whether you are online; the next try is automatic.")
  }
}

async function refusal(response) {
  if (response.status === 403) {
    return new Refused("This account may not see it.", "It takes the scope of administration; ask who runs Attune.")
  }
  if (response.status === 429) return new Refused("Too many requests at once.", "The next try is automatic.")
  const problem = await response.json().catch(() => ({}))
  const id = problem.request_id ? `Request ${problem.request_id}, status ${response.status}.` : `Status ${response.status}.`
  const message = problem.detail ?? "The platform answered with an error."
  return new Refused(message.charAt(0).toUpperCase() + message.slice(1), id)
}
