// Shows a sample task under the form as it stands, a moment after the last change.

const PAUSE = 350; // ms

export class Preview {
  constructor(form, body, said) {
    Object.assign(this, { form, body, said });
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), PAUSE);
  }

  async now() {
    this.asked?.abort();
    this.asked = new AbortController();
    const { signal } = this.asked;
    try {
      const reply = await fetch(this.form.dataset.preview, { method: "POST", body: new FormData(this.form), signal });
      if (!reply.ok) throw new Error(`The server answered ${reply.status}.`);
      this.show(await reply.text());
    } catch (error) {
      if (error.name !== "AbortError") this.say("The preview could not be made; what you typed is still here.");
    }
  }

  show(html) {
    const made = new DOMParser().parseFromString(html, "text/html").body;
    const waits = made.querySelector("[data-waits]");
    this.body.classList.toggle("protocol__preview-body--old", Boolean(waits));
    if (!waits) this.body.replaceChildren(...made.childNodes);
    this.say(...(waits ? waits.childNodes : [""]));
  }

  say(...parts) {
    this.said.replaceChildren(...parts);
  }
}
