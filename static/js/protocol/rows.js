// Adds, moves and removes rows: the server makes the list anew, and it takes the place of the one on the page.

const FIELDS = "input:not([type=hidden]), select, textarea";
const WORDS = { add: "Added.", up: "Moved up.", down: "Moved down.", remove: "Removed." };

export class Rows {
  constructor(form, changed, say) {
    Object.assign(this, { form, changed, say });
    this.last = Promise.resolve();
    form.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-list]");
      if (!button) return;
      event.preventDefault();
      this.last = this.last.then(() => this.act(button.value, button.dataset.list));
    });
  }

  list(path, within = this.form) {
    return within.querySelector(`[data-rows="${path}"]`);
  }

  async act(value, path) {
    const body = new FormData(this.form);
    body.set("do", value);
    try {
      const reply = await fetch(this.form.action, { method: "POST", body });
      if (!reply.ok) throw new Error(`The server answered ${reply.status}.`);
      const made = new DOMParser().parseFromString(await reply.text(), "text/html");
      this.list(path).replaceWith(document.adoptNode(this.list(path, made)));
    } catch {
      return this.say("The server could not be reached. Try again.");
    }
    const [act, at] = value.split(" ");
    this.focus(act, at, path);
    this.say(WORDS[act]);
    this.changed();
  }

  /** Where the focus goes: into a new row, along with a moved one, or to what took a removed one's place. */
  focus(act, at, path) {
    if (act === "add") return this.toLast(path);
    const list = this.list(path);
    const add = list.querySelector(`button[value="add ${path}"]`);
    const from = Number(at.slice(path.length + 1));
    const place = act === "up" ? from - 1 : act === "down" ? from + 1 : from;
    const button = (verb) => list.querySelector(`button[value="${verb} ${path}.${place}"]:not(:disabled)`);
    (button(act) ?? button("up") ?? button("down") ?? button("remove") ?? add).focus();
  }

  toLast(path) {
    const rows = this.list(path)?.querySelectorAll(":scope > [data-list-rows] > *") ?? [];
    const row = rows[rows.length - 1];
    (row?.querySelector("input[name$='.name'], input[name$='.question']") ?? row?.querySelector(FIELDS))?.focus();
  }
}
