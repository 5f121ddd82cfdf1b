// One element with its attributes and children, without a string of HTML: what models wrote is only ever text.

/**
 * @param {string} tag  such as "button.chip.chip--small"
 * @param {Object} attributes  `on` holds listeners; true sets an empty attribute, false and null none
 */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const made = document.createElement(name);
  made.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") for (const [type, listener] of Object.entries(value)) made.addEventListener(type, listener);
    else if (key === "value") made.value = value;
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** The first words of a text. */
export function brief(text, most = 90) {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > most ? `${[...line.slice(0, most)].join("")}…` : line;
}
