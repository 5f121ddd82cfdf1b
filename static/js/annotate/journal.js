// The journal keeps every decision on this device, under its idempotency key, until the server has said yes.
// One entry is one item of localStorage, so that two tabs never overwrite each other's entries; one tab at a
// time sends (Web Locks), in the order in which the decisions were made.

const RETRY_FIRST = 1000;
const RETRY_MOST = 30000;
const REMEMBERED = 60;

export class Journal extends EventTarget {
  /**
   * @param {string} scope  one user in one project
   * @param {string} api    where the API is, ending in a slash
   * @param {string} whose  says whose session this is, as `scope`
   */
  constructor(scope, api, whose) {
    super();
    this.scope = scope;
    this.whose = whose;
    this.token = csrfToken();
    this.prefix = `${scope}:entry:`;
    this.madeKey = `${scope}:made`;
    this.lastKey = `${scope}:last`;
    this.lock = `${scope}:sender`;
    this.api = api;
    this.wait = RETRY_FIRST;
    this.counter = 0;
    for (const sign of ["online", "focus"]) addEventListener(sign, () => this.hurry());
    addEventListener("storage", (event) => event.key?.startsWith(this.prefix) && this.onOtherTab());
  }

  /** What waits to be sent, oldest first. */
  waiting() {
    return this.entries().filter((entry) => !entry.refused);
  }

  /** When nothing of a task waits any more, or it takes too long. */
  settled(task, most = 5000) {
    return this.until(() => !this.tasks().has(task), most);
  }

  /** When no undo waits any more, or it takes too long. */
  undone(most = 3000) {
    return this.until(() => this.waiting().every((entry) => entry.kind !== "undo"), most);
  }

  until(holds, most) {
    return new Promise((resolve) => {
      const look = () => {
        if (!holds()) return;
        this.removeEventListener("change", look);
        resolve();
      };
      this.addEventListener("change", look);
      setTimeout(resolve, most);
      look();
    });
  }

  /** What the server would not take; kept until somebody has seen it. */
  refused() {
    return this.entries().filter((entry) => entry.refused);
  }

  entries() {
    const found = [];
    for (let n = 0; n < localStorage.length; n++) {
      const name = localStorage.key(n);
      if (name.startsWith(this.prefix)) found.push(JSON.parse(localStorage.getItem(name)));
    }
    return found.sort((a, b) => a.at - b.at || a.turn - b.turn);
  }

  /** Tasks whose answer or skip is not at the server yet. */
  tasks() {
    const tasks = new Set();
    for (const entry of this.waiting()) {
      if (entry.kind === "undo") tasks.delete(entry.task);
      else tasks.add(entry.task);
    }
    return tasks;
  }

  /** The newest decision that waits and that no undo takes back. */
  newest() {
    return this.waiting().findLast((entry) => entry.kind !== "undo" && !this.undoes(entry.key));
  }

  /** Whether an undo of this key or annotation waits. */
  undoes(of) {
    const made = this.made();
    return this.waiting().some((entry) => entry.kind === "undo" && (entry.of === of || made[entry.of] === of));
  }

  /** Whether a task that the page came with is decided already, or was on its way to the server meanwhile. */
  decided(task) {
    return this.tasks().has(task) || localStorage.getItem(this.lastKey) === String(task);
  }

  /** Keep a decision, then send it when possible. Returns its key; throws when the storage is full. */
  add(kind, task, body, of = null) {
    const key = newKey();
    this.keep({ key, kind, task, body, of, at: Date.now(), turn: this.counter++ });
    if (kind === "undo") localStorage.removeItem(this.lastKey);
    this.changed();
    this.hurry();
    return key;
  }

  keep(entry) {
    localStorage.setItem(this.prefix + entry.key, JSON.stringify(entry));
  }

  drop(entry) {
    localStorage.removeItem(this.prefix + entry.key);
    this.changed();
  }

  /** Forget what was refused, once it was shown. */
  dismissRefused() {
    this.refused().forEach((entry) => this.drop(entry));
  }

  /** What another tab kept is sent from here too, should that tab be closed. */
  onOtherTab() {
    this.changed();
    this.wait = RETRY_FIRST;
    this.later();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  hurry() {
    clearTimeout(this.timer);
    this.wait = RETRY_FIRST;
    this.send();
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), this.wait * (0.75 + Math.random() / 2));
    this.wait = Math.min(this.wait * 2, RETRY_MOST);
  }

  /** Send what waits, in order; one tab at a time, except over plain http, where a browser has no locks. */
  async send() {
    if (!this.waiting().length) return;
    const options = { ifAvailable: true };
    if (navigator.locks) await navigator.locks.request(this.lock, options, (lock) => this.sendAll(lock));
    else await this.sendAll(!this.sending);
  }

  async sendAll(free) {
    if (!free) return this.later();
    this.sending = true;
    try {
      while (this.waiting().length && (await this.sendOne(this.waiting()[0])));
    } finally {
      this.sending = false;
    }
  }

  /** Whether the next entry may be sent. */
  async sendOne(entry) {
    if (!(await this.mine())) return false;
    const path = this.path(entry);
    if (!path) {
      this.drop(entry);
      return true;
    }
    let response;
    try {
      response = await this.post(path, entry);
    } catch {
      this.tell("offline");
      this.later();
      return false;
    }
    return this.settle(entry, response);
  }

  /** Whether the session is still that of who decided: with every sign-in the CSRF cookie changes. */
  async mine() {
    const token = csrfToken();
    if (token === this.token) return true;
    const response = await fetch(this.whose, { headers: { Accept: "application/json" } }).catch(() => null);
    const { scope } = (await response?.json().catch(() => null)) ?? {};
    if (scope === this.scope) this.token = token;
    if (scope === this.scope || response?.redirected) return true;
    this.tell(response && response.status < 500 ? "somebody-else" : "offline");
    this.later();
    return false;
  }

  async settle(entry, response) {
    const data = await response.json().catch(() => ({}));
    if (response.ok) {
      this.remember(entry, data.annotation?.id);
      this.drop(entry);
      this.wait = RETRY_FIRST;
      this.tell("sent", { entry, progress: data.progress });
      return true;
    }
    if (response.status === 401 || (response.status === 403 && !data.detail?.includes("role"))) {
      this.tell("signed-out");
      this.later();
      return false;
    }
    if (response.status >= 500 || response.status === 429 || response.status === 408) {
      this.tell("offline");
      this.later();
      return false;
    }
    if (response.status === 409 && data.kept) {
      this.drop(entry);
      this.tell("kept", { entry, detail: data.detail });
      return true;
    }
    this.keep({ ...entry, refused: data.detail || `HTTP ${response.status}` });
    this.changed();
    this.tell("refused", { entry, detail: data.detail });
    return true;
  }

  /** Where an entry goes; an undo of something that never counted goes nowhere. */
  path(entry) {
    if (entry.kind !== "undo") return `tasks/${entry.task}/${entry.kind}`;
    const annotation = typeof entry.of === "number" ? entry.of : this.made()[entry.of];
    return annotation ? `annotations/${annotation}/undo` : null;
  }

  post(path, entry) {
    return fetch(this.api + path, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "Idempotency-Key": entry.key,
        "X-CSRFToken": csrfToken(),
      },
      body: JSON.stringify(entry.body ?? {}),
      signal: AbortSignal.timeout(20000),
    });
  }

  made() {
    return JSON.parse(localStorage.getItem(this.madeKey) ?? "{}");
  }

  /** Which annotation a key became, for the undo that may follow, and which task was decided last. */
  remember({ key, kind, task }, annotation) {
    const made = { ...this.made(), [key]: annotation };
    const kept = Object.entries(made).slice(-REMEMBERED);
    try {
      localStorage.setItem(this.madeKey, JSON.stringify(Object.fromEntries(kept)));
      if (kind !== "undo") localStorage.setItem(this.lastKey, task);
    } catch {
      // The storage is full: an undo then shows the task, and the next answer takes the place of this one.
    }
  }
}

/** A key that nobody else has; randomUUID is missing over plain http. */
function newKey() {
  const bytes = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0"));
  return crypto.randomUUID?.() ?? bytes().join("");
}

export function csrfToken() {
  return document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";
}
