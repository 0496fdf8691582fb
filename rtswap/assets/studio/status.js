// What changes by itself: state, figures, the graph of delays, outputs and events.

import { at } from "./api.js";
import { byId, clock, el, inPlainWords, size, tell } from "./ui.js";

const STATES = { idle: "Ready", starting: "Starting", running: "Live", stopping: "Stopping" };
const KEPT = 120;
const ages = [], open = new Set(); // outputs that run
let failed; // outputs whose failure was told; what failed before this page was opened is in the list alone
let rows = "";

export function showState(status) {
  byId("state").className = `state ${status.state}`;
  byId("state").lastChild.textContent = STATES[status.state];
  const { fps, frame_age_ms: age, level, stages_ms: stages, dropped } = status.figures, live = status.state === "running" && age?.p50 !== undefined;
  byId("fps").textContent = live ? `${fps.toFixed(0)} fps` : "–";
  byId("age").textContent = live ? `${age.p50.toFixed(0)} ms` : "–";
  byId("count").textContent = live ? String(status.people.length) : "–";
  byId("quality").textContent = live ? `${level ? `quality lowered ${level} times` : "full quality"}${dropped ? `, ${dropped} frames left out` : ""}${status.share < 1 && status.kind === "browser" ? `, sent here at ${status.share * 100} % of its size` : ""}` : "";
  byId("engine").textContent = status.engine ? `Networks run on ${status.engine}.` : "";
  if (status.state === "running") ages.push(live ? [age.p50, age.p95] : [0, 0]);
  else ages.length = 0;
  while (ages.length > KEPT) ages.shift();
  drawGraph();
  drawStages(live ? stages : {});
}

function drawGraph() {
  const canvas = byId("graph"), pen = canvas.getContext("2d"), { width, height } = canvas, css = getComputedStyle(document.documentElement);
  const top = Math.max(60, ...ages.map(([, p95]) => p95 * 1.15)), y = (ms) => height - 4 - (ms / top) * (height - 12), x = (at) => width - ((ages.length - 1 - at) / (KEPT - 1)) * width;
  pen.clearRect(0, 0, width, height);
  pen.font = "20px system-ui, sans-serif";
  for (const ms of [0, Math.round(top / 20) * 10]) {
    pen.fillStyle = css.getPropertyValue("--line");
    pen.fillRect(0, y(ms), width, 2);
    pen.fillStyle = css.getPropertyValue("--muted");
    if (ms) pen.fillText(`${ms} ms`, 4, y(ms) - 6);
  }
  for (const [which, color] of [[1, "--warn"], [0, "--accent"]]) {
    pen.strokeStyle = css.getPropertyValue(color);
    pen.lineWidth = 4;
    pen.lineJoin = "round";
    pen.beginPath();
    ages.forEach((pair, at) => pen[at ? "lineTo" : "moveTo"](x(at), y(pair[which])));
    pen.stroke();
  }
}

function drawStages(stages) {
  const found = Object.entries(stages).map(([name, ms]) => [name, ms.p50]), most = Math.max(10, ...found.map(([, ms]) => ms));
  byId("stages").replaceChildren(...found.flatMap(([name, ms]) => {
    const bar = el("i");
    bar.style.width = `${(ms / most) * 100}%`;
    return [el("dt", {}, name), el("dd.track", { "aria-hidden": "true" }, bar), el("dd", {}, `${ms.toFixed(1)} ms`)];
  }));
}

export function showOutputs(outputs, stop) {
  for (const one of outputs) {
    if (!one.finished) open.add(one.id);
    else if (open.delete(one.id) && one.download) tell(`${one.name} is in ${one.folder}, and is listed under Recordings. `, true, 20000, download(one));
    if (one.failure && failed && !failed.has(one.id)) tell(one.failure, false, 20000);
  }
  failed = new Set(outputs.filter((one) => one.failure).map((one) => one.id));
  const recording = outputs.find((one) => one.kind === "record" && !one.finished);
  byId("clock").hidden = !recording;
  if (recording) byId("clock").lastChild.textContent = `REC ${clock(recording.seconds)} · ${size(recording.bytes)}`;
  byId("record").classList.toggle("on", Boolean(recording));
  byId("record").lastChild.textContent = recording ? "Stop recording" : "Record";
  byId("vcam").setAttribute("aria-pressed", String(outputs.some((one) => one.kind === "vcam" && !one.finished)));
  const now = JSON.stringify(outputs.map((one) => [one.id, one.finished]));
  if (now !== rows) {
    rows = now;
    const list = [...outputs].reverse().map((one) => el("li", { "data-id": one.id }, el("div", {}, el("b", { title: one.folder ? `in ${one.folder}` : one.name }, one.name), el("span.muted.small", {}, "")),
      one.finished ? (one.download ? download(one) : "") : el("button", { type: "button", "aria-label": `Stop ${one.name}`, onclick: () => stop(one.id) }, "Stop")));
    byId("outputs").replaceChildren(...(list.length ? list : [el("li.none", {}, "None yet. Press Record while the picture is live. For Zoom, Meet or Teams turn on the virtual camera.")]));
  }
  for (const one of outputs) {
    const line = byId("outputs").querySelector(`[data-id="${one.id}"] span`);
    const length = one.kind === "record" ? `${clock(one.seconds)}, ${size(one.bytes)}` : clock(one.seconds);
    if (line) line.textContent = one.failure ? "failed" : one.finished && !one.download ? "stopped before the first picture" : one.download ? `${length}, in ${one.folder}` : length;
  }
}

const download = (one) => el("a.button", { href: at(`/api/outputs/${one.id}/file`), download: one.file, title: "A copy for your downloads" }, "Download");

export function showEvents(events) {
  const list = byId("events");
  for (const { number, time, text } of events) {
    if (list.querySelector(`[data-number="${number}"]`)) continue;
    list.prepend(el("li", { "data-number": String(number) }, el("time", {}, new Date(time * 1000).toLocaleTimeString([], { hour12: false })), inPlainWords(text)));
  }
  while (list.children.length > 100) list.lastChild.remove();
  if (!list.children.length) list.append(el("li.none", {}, "What happens is told here."));
  if (list.querySelector("[data-number]")) list.querySelector(".none")?.remove();
}
