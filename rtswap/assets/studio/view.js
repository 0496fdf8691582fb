// The picture alone, for a browser source of OBS: comes back with each session.

import { at } from "./api.js";

const picture = document.getElementById("picture");

async function look() {
  let there = false;
  try {
    const status = await (await fetch(at("/api/status?since=999999999"))).json();
    there = status.state === "running" && Boolean(status.size);
  } catch { /* the studio is not there; it may come */ }
  if (there && picture.hidden) picture.src = at(`/api/preview.mjpg?fps=30&t=${Date.now()}`);
  if (!there) picture.removeAttribute("src");
  picture.hidden = !there;
}

picture.onerror = () => { picture.removeAttribute("src"); picture.hidden = true; };
setInterval(look, 1000);
look();
