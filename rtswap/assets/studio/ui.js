// Small helpers: elements, messages, dialogs.

export const byId = (id) => document.getElementById(id);

/** el("li.row", {title: "x", onclick: f}, child, ...) */
export function el(what, set = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  for (const [name, value] of Object.entries(set)) {
    if (name in node && typeof value !== "string") node[name] = value;
    else if (value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export function tell(text, good = false, ms = good ? 4000 : 9000, ...more) {
  const note = el(good ? "p.good" : "p", {}, inPlainWords(text), ...more);
  byId("toasts").append(note);
  setTimeout(() => note.remove(), ms);
}

const controls = new Map(); // flag of the command line -> its name on this page, and its choices
const names = new Map(); // key of rtswap.toml -> its name on this page

export function nameFlag(flag, key, name, choices) {
  controls.set(flag, { name, choices });
  names.set(key, name);
}

/** Messages that are also for the command line name its flags and keys; here they are controls. A remark on other flags is left out. */
export function inPlainWords(text) {
  return text.replace(/^[a-z]+\.[a-z_]+(?=;)/, (key) => (names.has(key) ? `“${names.get(key)}”` : key)).replace(/(--[a-z][a-z-]*)(?: ([a-z0-9-]+))?/g, (whole, flag, next) => {
    const control = controls.get(flag);
    if (!control) return whole;
    return control.choices.includes(next) ? `“${control.name}: ${next}”` : `“${control.name}”${next ? ` ${next}` : ""}`;
  }).replace(/ \([^()]*--[^()]*\)/g, "");
}

/** Run something, and show what went wrong. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    tell(error.message);
    return undefined;
  }
}

/** Ask in a dialog; the value of the button that was pressed, empty for Escape. buttons: [[value, text, primary], ...] */
export function ask(title, body, buttons) {
  const dialog = byId("dialog");
  byId("dialog-title").textContent = title;
  byId("dialog-body").replaceChildren(...body);
  byId("dialog-menu").replaceChildren(...buttons.map(([value, text, primary]) => el(primary ? "button.primary" : "button", { type: "submit", value }, text)));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

/** The local time, as in the names of recordings. */
export function stamp(now = new Date()) {
  const two = (n) => String(n).padStart(2, "0");
  return `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}

/** Ask for a line of text; null if it was given up. */
export async function askText(title, label, set = {}, go = "OK") {
  const field = el("input", { type: "text", name: "text", "aria-label": label, autocomplete: "off", ...set });
  const answer = await ask(title, [el("p.muted", {}, label), field], [["go", go, true], ["", "Cancel"]]);
  return answer === "go" && field.value.trim() ? field.value.trim() : null;
}

export function clock(seconds) {
  const whole = Math.floor(seconds), two = (n) => String(n).padStart(2, "0");
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}` : `${Math.floor(whole / 60)}:${two(whole % 60)}`;
}

export const size = (bytes) => (bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`);
