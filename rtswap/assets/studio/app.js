// The page: puts the parts together.

import { at, call, watch } from "./api.js";
import { Camera } from "./camera.js";
import "./drop.js";
import { chosenInput, listInputs, openInputs, showAsked } from "./inputs.js";
import { followSettings, openSettings } from "./settings.js";
import { drawPeople, followShelf, openShelf, showMain } from "./shelf.js";
import { showSound } from "./sound.js";
import { showEvents, showOutputs, showState } from "./status.js";
import { askText, attempt, byId, el, stamp, tell } from "./ui.js";

const stage = byId("stage"), live = byId("live"), before = byId("before"), preview = byId("preview");
let status = { state: "idle", outputs: [], people: [] }, seen = { changed: {} }, comparing = false, busy = false;

const camera = new Camera({
  onPicture: (stream) => { live.srcObject = stream; live.play().catch(() => {}); },
  onOwn: (stream) => { before.srcObject = stream; before.play().catch(() => {}); },
  onLost: () => tell("The connection is lost; trying again."),
});

const startIfLive = async () => { if (status.state === "running") await start(); };

async function start() {
  const input = chosenInput();
  busy = true;
  draw();
  try {
    if (input.kind === "browser") await camera.open();
    else camera.close();
    await call("POST", "/api/session", { input });
  } finally {
    busy = false;
    draw();
  }
}

byId("go").onclick = (event) => event.detail < 2 && attempt(async () => { // a double click is one
  if (status.state === "idle" && !busy) return start();
  await call("DELETE", "/api/session");
  camera.close();
});

// outputs

const changing = new Set(); // kinds of outputs for which an answer is awaited

/** One change of a kind at a time: who clicks again at once means the same. */
async function change(kind, work) {
  if (changing.has(kind)) return;
  changing.add(kind);
  await attempt(work);
  changing.delete(kind);
}

const output = (kind, url) => change(kind, async () => { status.outputs.push(await call("POST", "/api/outputs", url ? { kind, url } : { kind })); });
const stop = (id, kind) => change(kind, async () => {
  await call("DELETE", `/api/outputs/${id}`);
  status.outputs = status.outputs.filter((one) => one.id !== id); // the next status has it again, as finished
});
const toggle = (kind) => (event) => {
  const on = status.outputs.find((one) => one.kind === kind && !one.finished);
  if (event.detail < 2) on ? stop(on.id, kind) : output(kind); // else a double click
};
byId("record").onclick = toggle("record");
byId("vcam").onclick = toggle("vcam");
byId("stream").onclick = async () => {
  const url = await askText("Stream to an address", "rtmp, rtsp or udp, such as rtmp://live.example/app/key", {}, "Stream");
  if (url) output("stream", url);
};
byId("snapshot").onclick = () => attempt(async () => {
  const response = await fetch(at("/api/snapshot.jpg"));
  if (!response.ok) throw new Error((await response.json()).detail);
  const name = `rtswap-${stamp()}.jpg`, url = URL.createObjectURL(await response.blob());
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  tell(`${name} is in your downloads.`, true);
});

// before and after: the own camera is drawn by this browser; the studio sends no unswapped picture

function divide() {
  const share = comparing ? Number(byId("divider").value) : 0;
  byId("after").style.clipPath = comparing ? `inset(0 0 0 ${share}%)` : "";
  byId("handle").style.left = `${share}%`;
  byId("handle").hidden = byId("divider").hidden = before.hidden = !comparing;
}
byId("divider").oninput = divide;
byId("compare").onclick = () => { comparing = !comparing; draw(); };

// drawing

function draw() {
  const running = status.state === "running", own = running && status.kind === "browser" && Boolean(camera.own);
  const there = running && Boolean(status.size);
  live.hidden = !(there && own);
  const shown = there && !own;
  if (shown && !preview.src) {
    const width = Math.round(Math.min(Math.max(stage.clientWidth * devicePixelRatio, 320), 1920));
    preview.src = at(`/api/preview.mjpg?fps=24&width=${width}&t=${Date.now()}`);
  }
  if (!shown && preview.src) preview.removeAttribute("src");
  preview.hidden = !shown;
  byId("empty").hidden = there;
  if (!there && (running || busy || status.state === "starting")) byId("hint").textContent = "Starting: loading the networks and the camera.";
  else if (!there && byId("hint").textContent.startsWith("Starting")) byId("hint").textContent = "Choose a camera and a face, then press Start.";
  if (!there) byId("next").textContent = status.outputs.some((one) => one.download) ? "Your recordings are listed below: Download copies one." : "Nothing goes to the internet, unless you stream it.";
  const on = running || busy || status.state === "starting";
  byId("go").classList.toggle("running", on);
  byId("go").lastElementChild.textContent = on ? "Stop" : "Start";
  byId("go").firstElementChild.firstElementChild.setAttribute("d", on ? "M5 5h14v14H5Z" : "M7 4v16l13-8Z");
  for (const id of ["record", "snapshot", "vcam", "stream"]) byId(id).disabled = !there;
  byId("compare").disabled = !own;
  showSound(status, own ? camera.own : null);
  comparing &&= own;
  byId("compare").setAttribute("aria-pressed", String(comparing));
  divide();
  const tag = byId("tag"), text = there && status.waiting ? (own ? "The camera is lost; waiting for it" : "The page whose camera this was is gone. Press Stop, then Start, to use this one's.")
    : there && status.covered && !status.figures.faces ? `Covered: ${status.reasons.join(", ")}` : "";
  tag.hidden = !text;
  tag.textContent = text;
  if (status.size) { stage.style.aspectRatio = `${status.size[0]} / ${status.size[1]}`; stage.style.maxWidth = `calc(68vh * ${status.size[0] / status.size[1]})`; }
}

preview.onerror = () => { if (preview.hasAttribute("src")) setTimeout(() => { preview.removeAttribute("src"); draw(); }, 500); };

const theme = (name) => { document.documentElement.dataset.theme = name; localStorage.setItem("rtswap-theme", name); };
theme(localStorage.getItem("rtswap-theme") || (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark"));
byId("theme").onclick = () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");

byId("another").onclick = () => attempt(async () => window.open(`/?session=${(await call("POST", "/api/sessions", {})).id}`, "_blank", "noopener"));

/** Follow what other pages and programs change. A studio that was started again knows nothing of what this page shows. */
function follow({ studio, changed }) {
  if (seen.studio && seen.studio !== studio) return location.reload();
  const work = { settings: followSettings, sources: followShelf, inputs: () => listInputs() };
  for (const name of Object.keys(changed)) if (seen.studio && seen.changed[name] !== changed[name]) attempt(work[name]);
  seen = { studio, changed };
}

await attempt(() => Promise.all([openInputs(startIfLive), openSettings(), openShelf()]));
draw();
watch((now) => {
  status = now;
  showState(now);
  showOutputs(now.outputs, (id) => stop(id, id));
  showEvents(now.events);
  showMain(now.main);
  showAsked(now.asked);
  follow(now);
  if (camera.own && now.state === "running") camera.pace(now.figures);
  drawPeople(now.state === "running" ? now.people : []);
  draw();
}, () => {
  byId("state").className = "state lost";
  byId("state").lastChild.textContent = "No connection";
}, () => location.replace("/"));
