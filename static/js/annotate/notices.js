// What the screen says besides the task: progress, what is unsent, being signed out, and the live region.

export class Notices {
  constructor(journal, signIn) {
    this.journal = journal;
    this.live = document.getElementById("live");
    this.said = document.getElementById("said");
    this.unsent = document.getElementById("unsent");
    this.unsent.addEventListener("click", () => journal.hurry());
    this.banner = document.getElementById("banner");
    this.bar = document.querySelector("#progress progress");
    this.text = document.getElementById("progress-text");
    journal.addEventListener("change", () => this.showUnsent());
    journal.addEventListener("sent", () => this.clearBanner("signed-out"));
    journal.addEventListener("signed-out", () =>
      this.signedOut("You are signed out.", link(signIn, "Sign in again", "_blank")),
    );
    journal.addEventListener("somebody-else", () =>
      this.signedOut("Somebody else is signed in here now.", link(location.pathname, "Go on as who is signed in")),
    );
    journal.addEventListener("kept", (event) => {
      const why = event.detail.detail;
      this.announce(`${why.charAt(0).toUpperCase()}${why.slice(1)}.`);
    });
    this.showUnsent();
  }

  announce(words) {
    const of = this.text.textContent;
    this.live.textContent = `${words} ${of}.`;
  }

  /** Say something to eyes too: it goes away by itself. */
  say(words) {
    this.announce(words);
    this.said.textContent = words;
    this.said.hidden = false;
    clearTimeout(this.silence);
    this.silence = setTimeout(() => (this.said.hidden = true), 3000);
  }

  /** What was said is of the task before. */
  hush() {
    clearTimeout(this.silence);
    this.said.hidden = true;
  }

  storageFull() {
    this.setBanner("full", ["This was not kept: the storage of this browser is full. Clear the data of other sites, then decide again."]);
  }

  showUnsent() {
    const waiting = this.journal.waiting().length;
    this.unsent.hidden = !waiting;
    this.unsent.textContent = waiting ? `${waiting} unsent` : "";
    this.unsent.title = "Kept on this device; sent as soon as the server can be reached.";
    this.showRefused(this.journal.refused());
  }

  showRefused(refused) {
    if (!refused.length) return this.clearBanner("refused");
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "button button--small", textContent: "Dismiss" });
    button.addEventListener("click", () => this.journal.dismissRefused());
    const what = `The server did not take ${refused.length} decision${refused.length > 1 ? "s" : ""}: ${refused[0].refused}. `;
    this.setBanner("refused", [what, link(location.pathname, "Reload the page"), " if the question was changed meanwhile."], button);
  }

  signedOut(what, way) {
    const waiting = this.journal.waiting().length;
    const kept = `${waiting} decision${waiting > 1 ? "s are" : " is"} kept on this device`;
    this.setBanner("signed-out", [`${what} ${kept} and sent when you are signed in again. `, way]);
  }

  /** Show a notice in place of the one of its kind; the same words again change nothing and are not read out again. */
  setBanner(kind, parts, ...buttons) {
    const notice = document.createElement("div");
    const text = document.createElement("p");
    notice.className = "notice notice--warning";
    notice.dataset.kind = kind;
    text.append(...parts);
    notice.append(text, ...buttons);
    const before = this.banner.querySelector(`[data-kind="${kind}"]`);
    if (!before) this.banner.append(notice);
    else if (before.textContent !== notice.textContent) before.replaceWith(notice);
  }

  clearBanner(kind) {
    this.banner.querySelector(`[data-kind="${kind}"]`)?.remove();
  }

  /** Count one more, or one less, before the server has said so. */
  count(step) {
    this.show(Number(this.bar.value) + step, Number(this.bar.max));
  }

  /** What the server says, plus what it does not know yet. */
  progress(now) {
    if (!now) return;
    const unsent = this.journal.waiting().filter((entry) => entry.kind === "submit").length;
    this.show(now.done + unsent, now.total);
    const queue = document.getElementById("progress-queue");
    if (queue && now.queue !== undefined) queue.textContent = now.queue;
  }

  show(done, total) {
    this.bar.max = total;
    this.bar.value = Math.min(done, total);
    this.text.textContent = `${Math.min(done, total)} of ${total} for you`;
  }

  waitingForTask() {
    const section = document.createElement("section");
    section.className = "rest";
    section.dataset.offline = "";
    section.innerHTML = "<h2>Waiting for the next task</h2><p>The server cannot be reached. What you decided is kept on this device.</p>";
    return section;
  }
}

function link(href, textContent, target = "_self") {
  return Object.assign(document.createElement("a"), { href, textContent, target });
}
