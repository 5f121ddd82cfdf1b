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
   */
  constructor(scope, api) {
    super();
    this.prefix = `${scope}:entry:`;
    this.madeKey = `${scope}:made`;
    this.lock = `${scope}:sender`;
    this.api = api;
    this.wait = RETRY_FIRST;
    this.counter = 0;
    addEventListener("online", () => this.hurry());
    addEventListener("storage", (event) => event.key?.startsWith(this.prefix) && this.changed());
  }

  /** What waits to be sent, oldest first. */
  waiting() {
    return this.entries().filter((entry) => !entry.refused);
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

  /** Keep a decision, then send it when possible. Returns its key. */
  add(kind, task, body, of = null) {
    const key = crypto.randomUUID();
    this.keep({ key, kind, task, body, of, at: Date.now(), turn: this.counter++ });
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

  /** Send what waits, in order; one tab at a time. */
  async send() {
    if (!this.waiting().length) return;
    await navigator.locks.request(this.lock, { ifAvailable: true }, async (lock) => {
      if (!lock) return this.later();
      for (let entry = this.waiting()[0]; entry; entry = this.waiting()[0]) {
        if (!(await this.sendOne(entry))) return;
      }
    });
  }

  /** Whether the next entry may be sent. */
  async sendOne(entry) {
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

  async settle(entry, response) {
    const data = await response.json().catch(() => ({}));
    if (response.ok) {
      this.remember(entry.key, data.annotation?.id);
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

  /** Which annotation a key became, for the undo that may follow. */
  remember(key, annotation) {
    const made = { ...this.made(), [key]: annotation };
    const kept = Object.entries(made).slice(-REMEMBERED);
    localStorage.setItem(this.madeKey, JSON.stringify(Object.fromEntries(kept)));
  }
}

export function csrfToken() {
  return document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] ?? "";
}
