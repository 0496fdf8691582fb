// The shelf of faces, the question of consent, and who in the picture gets which face.

import { call, upload } from "./api.js";
import { ask, attempt, byId, el, tell } from "./ui.js";

const KEY = "rtswap-thumbnails"; // of uploads, drawn here: the studio never sends a photo back
let sources = [], statement = "", drawn = "", shown = "", worn = [];

export async function openShelf() {
  byId("add").onclick = () => byId("photos").click();
  byId("photos").onchange = (event) => { attempt(() => addPhotos([...event.target.files])); event.target.value = ""; };
  await load();
}

/** Another page, or a program, has changed the shelf. */
export const followShelf = load;

export const nameOf = (id) => sources.find((source) => source.id === id)?.name || "nobody";

async function load() {
  const found = await call("GET", "/api/sources"), now = JSON.stringify(found.sources);
  if (now === shown) return; // keeps the place of the keyboard
  shown = now;
  ({ sources, statement } = found);
  byId("shelf").replaceChildren(...sources.map((source) => el("li", {}, tile(source, () => use(source)), source.persona || source.id === "given" ? null : menu(source))));
}

/** Frame the face that everybody gets: another page, or a program, may have chosen it. */
export function showMain(id) {
  for (const source of sources) {
    source.main = source.id === id;
    byId("shelf").querySelector(`[data-source="${source.id}"]`)?.setAttribute("aria-pressed", String(source.main));
  }
}

function tile(source, onclick) {
  const kept = JSON.parse(sessionStorage.getItem(KEY) || "{}")[source.id];
  const url = source.persona ? `/api/sources/${source.id}/thumbnail.jpg` : kept;
  const picture = url ? el("img", { src: url, alt: "", loading: "lazy", width: 84, height: 84 }) : el("i.letter", { "aria-hidden": "true" }, source.name[0]?.toUpperCase() || "?");
  return el("button.source", { type: "button", "data-source": source.id, "aria-pressed": String(Boolean(source.main)), title: source.description, onclick }, picture, el("span", {}, source.consent ? source.name : `${source.name} ?`));
}

const menu = (source) => el("button.more", { type: "button", "aria-label": `More about ${source.name}`, onclick: () => attempt(() => more(source)) }, "⋯");

async function more(source) {
  const answer = await ask(source.name, [el("p.muted", {}, `${source.photos} photo${source.photos === 1 ? "" : "s"}. More photos of the same person, from other sides, make a better face. They stay in memory until the studio ends.`)],
    [["photos", "Add photos", true], ["remove", "Remove"], ["", "Cancel"]]);
  if (answer === "remove") await call("DELETE", `/api/sources/${source.id}`);
  if (answer === "photos") {
    const field = el("input", { type: "file", accept: "image/*", multiple: true });
    field.onchange = () => attempt(async () => {
      for (const file of field.files) for (const note of (await upload(`/api/sources/${source.id}/photos`, file, () => {})).notes) tell(note);
      await load();
      await consent(sources.find((one) => one.id === source.id));
    });
    field.click();
  }
  await load();
}

/** New photos: one person each, or several of one. */
export async function addPhotos(files) {
  if (!files.length) return;
  let together = false;
  if (files.length > 1) {
    const answer = await ask(`${files.length} photos`, [el("p", {}, "Do they show one person, or different people?")], [["one", "One person", true], ["many", "Different people"], ["", "Cancel"]]);
    if (!answer) return;
    together = answer === "one";
  }
  let first;
  for (const file of files) {
    const name = encodeURIComponent(file.name.replace(/\.[^.]*$/, ""));
    const added = await upload(together && first ? `/api/sources/${first.id}/photos` : `/api/sources?name=${name}`, file, () => {});
    for (const note of added.notes) tell(note);
    if (!first || !together) await keepThumbnail(added.id, file);
    first ||= added;
    if (!together) await consent(added);
  }
  if (together) await consent({ ...first, consent: false });
  await load();
}

/** Ask whether the person has agreed; true if so. */
async function consent(source) {
  if (!source) return false;
  const now = (await call("GET", "/api/sources")).sources.find((one) => one.id === source.id);
  if (!now || now.consent) return Boolean(now);
  const answer = await ask(`Is this allowed: ${source.name}?`, [el("p", {}, statement), el("p.muted", {}, "rtswap asks once for each photo.")], [["", "No"], ["yes", "Yes, this is correct", true]]);
  if (answer === "yes") await call("POST", `/api/sources/${source.id}/consent`, { confirmed: true });
  return answer === "yes";
}

const use = (source) => attempt(async () => {
  if (!(await consent(source))) return load();
  await call("PUT", "/api/people", { main: source.id });
  await load();
});

async function keepThumbnail(id, file) {
  try {
    const picture = await createImageBitmap(file), side = Math.min(picture.width, picture.height), canvas = document.createElement("canvas");
    canvas.width = canvas.height = 160;
    canvas.getContext("2d").drawImage(picture, (picture.width - side) / 2, (picture.height - side) / 3, side, side, 0, 0, 160, 160);
    const kept = JSON.parse(sessionStorage.getItem(KEY) || "{}");
    sessionStorage.setItem(KEY, JSON.stringify({ ...kept, [id]: canvas.toDataURL("image/jpeg", 0.7) }));
  } catch { /* a kind of picture that the browser does not know */ }
}

/** Frames around the people in the picture; a click chooses their face. */
export function drawPeople(people) {
  worn = people.map((person) => person.source);
  const layer = byId("faces"), ids = people.map((person) => person.id).join();
  if (ids !== drawn) {
    const focused = document.activeElement?.dataset?.person;
    layer.replaceChildren(...people.map((person, at) => el("button.face", { type: "button", "data-person": String(person.id), onclick: () => attempt(() => choose(person.id, at)) }, el("span", {}, ""))));
    if (focused) layer.querySelector(`[data-person="${focused}"]`)?.focus();
    drawn = ids;
  }
  people.forEach((person, at) => {
    const frame = layer.children[at], [x1, y1, x2, y2] = person.box.map((v) => Math.min(Math.max(v, 0), 1) * 100);
    Object.assign(frame.style, { left: `${x1}%`, top: `${y1}%`, width: `${Math.max(x2 - x1, 2)}%`, height: `${Math.max(y2 - y1, 2)}%` });
    frame.classList.toggle("chosen", person.chosen);
    frame.classList.toggle("covered", person.source === null);
    const text = person.source === null ? "covered" : nameOf(person.source);
    frame.firstChild.textContent = text;
    frame.setAttribute("aria-label", `Person ${at + 1}: ${text}. Choose their face`);
  });
}

async function choose(id, at) {
  let chosen;
  const pick = (source) => { chosen = source.id; byId("dialog").close("chosen"); };
  const list = el("ul.shelf", {}, ...sources.filter((source) => source.consent).map((source) => el("li", {}, tile({ ...source, main: source.id === worn[at] }, () => pick(source)))));
  const answer = await ask(`Person ${at + 1} gets the face of`, [list], [["main", "Same as everybody"], ["cover", "Cover this person"], ["", "Cancel"]]);
  const source = { main: "main", cover: null, chosen }[answer];
  if (answer) await call("PUT", "/api/people", { people: [{ id, source }] });
}
