// Where the picture comes from: the list of cameras, clips and addresses.

import { call, upload } from "./api.js";
import { askText, attempt, byId, el } from "./ui.js";

const picker = byId("input"), hint = byId("hint");
let chosen = "", asked = "", change = async () => {}; // chosen: the value of what was chosen last, as JSON

export const chosenInput = () => JSON.parse(chosen);

/** changed(): something else was chosen. */
export async function openInputs(changed) {
  change = changed;
  await listInputs();
}

/** want: what to choose, else what is chosen by then. */
export async function listInputs(want) {
  const found = await call("GET", "/api/inputs"), option = (value, text) => el("option", { value: JSON.stringify(value) }, text);
  picker.replaceChildren(
    ...(found.given ? [option({ kind: "given" }, found.given)] : []),
    option({ kind: "browser" }, "This browser's camera"),
    ...found.cameras.map((one) => option({ kind: "camera", index: one.index }, one.name + (one.virtual ? " (virtual)" : ""))),
    ...found.clips.map((one) => option({ kind: "clip", id: one.id }, one.name)),
    ...found.addresses.map((one) => option({ kind: "url", id: one.id }, one.name)),
    option({ kind: "file" }, "Open a clip…"), option({ kind: "address" }, "Network address…"));
  choose(want ?? chosen);
}

function choose(value) {
  picker.value = value;
  if (picker.selectedIndex < 0) picker.selectedIndex = 0; // a camera that is gone
  chosen = picker.value;
}

/** Show what runs: another page, this one before it was loaded again, or a program may have chosen it. */
export function showAsked(value) {
  const now = value ? JSON.stringify(value) : "";
  if (now === asked) return;
  asked = now;
  if (!now || now === chosen) return;
  choose(now);
  if (chosen !== now) attempt(() => listInputs(now));
}

picker.onchange = () => attempt(async () => {
  const value = picker.value, { kind } = JSON.parse(value);
  choose(kind === "file" || kind === "address" ? chosen : value);
  if (kind === "file") return byId("clip").click();
  if (kind === "address") {
    const url = await askText("Network address", "rtsp, rtmp, http or udp, such as rtsp://192.168.1.20/stream", {}, "Use");
    if (!url) return;
    const { id } = await call("POST", "/api/addresses", { url });
    await listInputs(JSON.stringify({ kind: "url", id }));
  }
  await change();
});

byId("clip").onchange = (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) attempt(() => addClip(file));
};

export async function addClip(file) {
  const before = hint.textContent;
  try {
    const added = await upload(`/api/clips?name=${encodeURIComponent(file.name)}`, file, (share) => { hint.textContent = `Loading the clip: ${Math.round(share * 100)} %`; });
    await listInputs(JSON.stringify({ kind: "clip", id: added.id }));
    hint.textContent = "The clip is there. Press Start.";
  } catch (error) {
    hint.textContent = before;
    throw error;
  }
  await change();
}

navigator.mediaDevices?.addEventListener?.("devicechange", () => attempt(() => listInputs()));
