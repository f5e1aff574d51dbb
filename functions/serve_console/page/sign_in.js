// Sign-in by authorization code with proof key (RFC 7636). Tokens live in this tab only and end with it.

const PENDING = "attune.sign-in"
const TOKENS = "attune.tokens"
const EARLY_MS = 60_000 // A token is renewed so long before it ends: clocks differ, and requests take time.

export class SignInError extends Error {}

const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)))

const pageUrl = () => location.origin + location.pathname

const stored = (name) => JSON.parse(sessionStorage.getItem(name) ?? "null")

export class SignIn {
  #config
  #renewal = null

  constructor(config) {
    this.#config = config
  }

  // Leaves the page for the sign-in page of the user pool.
  async start() {
    const [state, verifier] = [random(), random()]
    sessionStorage.setItem(PENDING, JSON.stringify({ state, verifier, view: location.hash }))
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))
    this.#go("/oauth2/authorize", {
      response_type: "code",
      scope: `openid ${this.#config.scope}`,
      redirect_uri: pageUrl(),
      state,
      code_challenge_method: "S256",
      code_challenge: base64url(new Uint8Array(digest)),
    })
  }

  // Takes the code out of the address, if the sign-in page just sent one, and exchanges it for tokens.
  async finish() {
    const answer = new URLSearchParams(location.search)
    if (!answer.has("code") && !answer.has("error")) return
    const pending = stored(PENDING)
    sessionStorage.removeItem(PENDING)
    history.replaceState(null, "", location.pathname + (pending?.view ?? ""))
    if (answer.has("error")) throw new SignInError(answer.get("error_description") ?? answer.get("error"))
    if (pending === null || pending.state !== answer.get("state")) {
      throw new SignInError("The answer is not to a sign-in that began in this tab.")
    }
    await this.#exchange({
      grant_type: "authorization_code",
      code: answer.get("code"),
      code_verifier: pending.verifier,
      redirect_uri: pageUrl(),
    })
  }

  // An access token that is good for the next minute, or null: then somebody has to sign in.
  async token() {
    const tokens = stored(TOKENS)
    if (tokens === null) return null
    if (Date.now() < tokens.ends_at - EARLY_MS) return tokens.access
    // Sections load side by side, and one renewal is enough.
    this.#renewal ??= this.#renew(tokens.refresh).finally(() => { this.#renewal = null })
    return this.#renewal
  }

  async #renew(refresh) {
    try {
      await this.#exchange({ grant_type: "refresh_token", refresh_token: refresh }, refresh)
      return stored(TOKENS).access
    } catch (error) {
      if (!(error instanceof SignInError)) throw error
      this.forget()
      return null
    }
  }

  async #exchange(parameters, refresh = null) {
    const body = new URLSearchParams({ client_id: this.#config.client_id, ...parameters })
    const response = await fetch(`${this.#config.url}/oauth2/token`, { method: "POST", body })
    if (response.status >= 500) throw new TypeError("The sign-in service does not answer.")
    const answer = await response.json()
    if (!response.ok) throw new SignInError(answer.error_description ?? answer.error ?? "The sign-in was refused.")
    sessionStorage.setItem(TOKENS, JSON.stringify({
      access: answer.access_token,
      refresh: answer.refresh_token ?? refresh,
      ends_at: Date.now() + 1000 * answer.expires_in,
    }))
  }

  forget() {
    sessionStorage.removeItem(TOKENS)
  }

  // Ends the session here and at the user pool. A token that can't be revoked ends by itself.
  async end() {
    const token = stored(TOKENS)?.refresh
    this.forget()
    if (token) {
      const body = new URLSearchParams({ client_id: this.#config.client_id, token })
      await fetch(`${this.#config.url}/oauth2/revoke`, { method: "POST", body }).catch(() => null)
    }
    this.#go("/logout", { logout_uri: pageUrl() })
  }

  #go(path, parameters) {
    const query = new URLSearchParams({ client_id: this.#config.client_id, ...parameters })
    location.assign(`${this.#config.url}${path}?${query}`)
  }
}
