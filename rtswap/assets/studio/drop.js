// Files that are dropped on the page, wherever: pictures become faces, anything else the clip. Without this a browser opens
// them in the place of the page.

import { addClip } from "./inputs.js";
import { addPhotos } from "./shelf.js";
import { attempt, byId } from "./ui.js";

const isPicture = (file) => file.type.startsWith("image/") || /\.(heic|heif|avif)$/i.test(file.name);
const hasFiles = (event) => event.dataTransfer.types.includes("Files");

addEventListener("dragover", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  byId("drop").classList.add("over");
});
addEventListener("dragleave", (event) => { if (!event.relatedTarget) byId("drop").classList.remove("over"); });
addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  byId("drop").classList.remove("over");
  const files = [...event.dataTransfer.files], clip = files.find((file) => !isPicture(file));
  attempt(() => addPhotos(files.filter(isPicture)));
  if (clip) attempt(() => addClip(clip));
});
