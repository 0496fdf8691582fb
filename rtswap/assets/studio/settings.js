// The settings, drawn from the schema of /api/config, and presets, which rtswap.toml keeps.

import { call } from "./api.js";
import { ask, askText, attempt, byId, el, nameFlag, tell } from "./ui.js";

const GROUPS = [
  ["The face", true, ["swap.strength", "swap.expression"]],
  ["Method, light and detail", false, ["swap.swapper", "swap.color", "swap.detail", "swap.blend"]],
  ["Where the swap shows", false, ["mask.parts", "mask.keep", "mask.masks"]],
  ["Who, and safety", false, ["tracking.faces", "safety.on_failure", "safety.others", "safety.empty_after"]],
  ["Badge", false, ["badge.look", "badge.language"]],
];
const NAMES = {
  "swap.strength": "likeness", "swap.swapper": "method", "swap.color": "colours", "mask.parts": "parts to swap", "mask.keep": "parts to keep", "mask.masks": "masks",
  "tracking.faces": "swap", "safety.on_failure": "a face that cannot be swapped", "safety.others": "other people", "safety.empty_after": "plain frames after nobody for",
  "badge.look": "style and place",
};
const BETWEEN_MS = 100;
let values = {}, schema = {}, waiting = {}, sending = false;
const controls = new Map();

export async function openSettings() {
  const found = await call("GET", "/api/config");
  values = found.values;
  schema = found.schema.properties;
  const form = byId("settings");
  form.onsubmit = (event) => event.preventDefault();
  const listed = GROUPS.flatMap(([, , keys]) => keys);
  const rest = Object.keys(schema).filter((key) => !listed.includes(key));
  form.replaceChildren(...GROUPS.map(([title, open, keys]) => group(title, open, keys.filter((key) => schema[key]))), group("More", false, rest));
  await openPresets();
}

const group = (title, open, keys) => el("details.panel", { open }, el("summary", {}, title), el("div.set", {}, ...keys.map(row)));

function row(key) {
  const spec = schema[key], name = NAMES[key] || spec.title, id = `set-${key}`;
  const words = capital(spec.description) + (spec["x-live"] ? "" : ". Restarts the picture");
  const what = el("p.what", { id: `${id}-what`, title: words }, words);
  nameFlag(spec["x-flag"], key, capital(name), spec.enum || spec.items?.enum || []);
  const label = (extra) => el("label.name", { for: id }, el("span", {}, capital(name)), extra);
  const common = { id, "aria-describedby": `${id}-what` };
  let body, show;
  if (key === "badge.look") [body, show] = badge(key, name);
  else if (spec.type === "number" || spec.type === "integer") {
    const out = el("output", { for: id });
    const field = el("input", { type: "range", min: String(spec.minimum), max: String(spec.maximum), step: spec.type === "integer" ? "1" : "0.05", ...common });
    field.oninput = () => { out.textContent = shown(field.value); set(key, Number(field.value)); };
    show = (value) => { field.value = value; out.textContent = shown(value); };
    body = [label(out), field];
  } else if (spec.type === "boolean") {
    const field = el("input.switch", { type: "checkbox", role: "switch", ...common });
    field.onchange = () => set(key, field.checked);
    show = (value) => { field.checked = value; };
    body = [el("div.line", {}, label(), field)];
  } else if (spec.type === "array" && spec.items.enum) {
    const boxes = spec.items.enum.map((one) => el("input", { type: "checkbox", value: one }));
    const field = el("fieldset.chips", { "aria-label": name, ...common }, ...boxes.map((box) => el("label", {}, box, el("span", {}, box.value))));
    field.onchange = (event) => {
      const all = event.target.value === "all";
      if (boxes.some((box) => box.value === "all")) for (const box of boxes) if (box !== event.target && (all || box.value === "all")) box.checked = false;
      const on = boxes.filter((box) => box.checked).map((box) => box.value);
      if (on.length || key === "mask.keep") set(key, on); else show(values[key]);
    };
    show = (value) => { for (const box of boxes) box.checked = value.includes(box.value); };
    body = [el("div.name", {}, el("span", {}, capital(name))), field];
  } else if (spec.enum) {
    const field = el("select", common, ...spec.enum.map((one) => el("option", { value: one }, one)));
    field.onchange = () => set(key, field.value);
    show = (value) => { field.value = value; };
    body = [label(), field];
  } else {
    const field = el("input", { type: "text", autocomplete: "off", ...common });
    field.onchange = () => set(key, field.value);
    show = (value) => { field.value = Array.isArray(value) ? value.join(",") : value; };
    body = [label(), field];
  }
  controls.set(key, show);
  show(values[key]);
  return el("div", {}, ...body, what);
}

function badge(key, name) {
  const places = { tl: "top left", tc: "top centre", tr: "top right", bl: "bottom left", bc: "bottom centre", br: "bottom right" };
  const style = el("select", { id: `set-${key}`, "aria-label": "style of the badge" }, ...["auto", "dark", "light", "outline"].map((one) => el("option", { value: one }, one)));
  const corners = Object.entries(places).map(([place, words]) => el("input", { type: "radio", name: "badge-place", value: place, "aria-label": words, title: words }));
  const change = () => set(key, `${style.value} ${corners.find((one) => one.checked)?.value || "bl"}`);
  style.onchange = change;
  const field = el("fieldset.corners", { "aria-label": "place of the badge" }, ...corners.map((one) => el("label", {}, one)));
  field.onchange = change;
  const show = (value) => { const [look, place] = value.split(" "); style.value = look; for (const one of corners) one.checked = one.value === place; };
  return [[el("label.name", { for: `set-${key}` }, el("span", {}, capital(name))), style, field], show];
}

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const shown = (value) => String(Math.round(Number(value) * 100) / 100);

/** Change a setting soon: while one request is under way, and for a moment after, only the newest values wait. */
function set(key, value) {
  waiting[key] = value;
  send();
}

/** Show what another page, or a program, has set. */
export async function followSettings() {
  const now = (await call("GET", "/api/config")).values;
  if (sending) return; // what is under way here comes last
  values = now;
  for (const [key, show] of controls) if (!byId(`set-${key}`)?.matches("input[type=text]:focus")) show(values[key]);
}

async function send() {
  if (sending) return;
  sending = true;
  while (Object.keys(waiting).length) {
    const now = waiting;
    waiting = {};
    try {
      values = (await call("PUT", "/api/config", now)).values;
    } catch (error) {
      tell(error.message);
      for (const key of Object.keys(now)) if (!(key in waiting)) controls.get(key)?.(values[key]);
    }
    await new Promise((done) => setTimeout(done, BETWEEN_MS));
  }
  sending = false;
}

async function openPresets() {
  const list = byId("preset");
  let { presets } = await call("GET", "/api/presets");
  const draw = (chosen = "") => {
    list.replaceChildren(el("option", { value: "" }, "(none)"), el("option", { value: " defaults" }, "(defaults)"), ...Object.keys(presets).map((name) => el("option", { value: name }, name)));
    list.value = chosen;
    byId("delete").disabled = !(chosen in presets);
  };
  list.onchange = () => {
    byId("delete").disabled = !(list.value in presets);
    const defaults = Object.fromEntries(Object.entries(schema).map(([key, spec]) => [key, spec.default]));
    const preset = list.value === " defaults" ? defaults : presets[list.value];
    for (const [key, value] of Object.entries(preset || {})) {
      if (!(key in schema) || JSON.stringify(values[key]) === JSON.stringify(value)) continue;
      controls.get(key)(value);
      set(key, value);
    }
  };
  byId("save").onclick = () => attempt(async () => {
    const name = await askText("Save a preset", "All settings under a name, in your rtswap.toml.", { maxlength: "40" }, "Save");
    if (!name) return;
    if (name === "." || name === "..") throw new Error("This name cannot be part of an address. Choose another one.");
    ({ presets } = await call("PUT", `/api/presets/${encodeURIComponent(name)}`, {}));
    draw(name);
  });
  byId("delete").onclick = () => attempt(async () => {
    await call("DELETE", `/api/presets/${encodeURIComponent(list.value)}`);
    delete presets[list.value];
    draw();
  });
  byId("write").onclick = () => attempt(async () => {
    const text = "rtswap will start with these settings from now on, here and in the terminal. They replace those that were kept before, in the file rtswap.toml.";
    if ((await ask("Keep these settings", [el("p", {}, text)], [["go", "Keep", true], ["", "Cancel"]])) !== "go") return;
    const { file } = await call("POST", "/api/config/file", { overwrite: true });
    tell(`Kept in ${file}`, true);
  });
  draw();
}
