// What is heard and spoken. Silent until somebody asks: a microphone beside a loudspeaker howls.

import { connect } from "./camera.js";
import { attempt, byId, tell } from "./ui.js";

const button = byId("sound"), heard = byId("heard");
let peer, muted = false; // muted stays so when the camera is started again

/** Draw the switch: of this browser's microphone while its camera is the input, else of the loudspeaker. */
export function showSound(status, own) {
  const [track] = own?.getAudioTracks() || [], running = status.state === "running";
  if (status.state === "idle" || own) silence();
  if (track) track.enabled = !muted;
  button.disabled = !running || (own ? !track : !status.sound);
  const on = own ? Boolean(track) && !muted : Boolean(peer);
  button.setAttribute("aria-pressed", String(on));
  button.textContent = own ? (track ? `Microphone ${on ? "on" : "off"}` : "No microphone") : running && !status.sound ? "No sound" : `Sound ${on ? "on" : "off"}`;
  button.title = own ? "What you say goes into recordings, streams and to those who watch. You do not hear yourself." : "Hear what those who watch hear.";
  button.onclick = () => {
    if (own) muted = !muted;
    else if (peer) silence();
    else attempt(() => listen(status));
    showSound(status, own);
  };
}

async function listen(status) {
  if (status.kind === "browser") tell("If that microphone is near, use headphones: it would hear itself.", true);
  const now = (peer = new RTCPeerConnection({ iceServers: [] }));
  now.addTransceiver("audio", { direction: "recvonly" });
  now.ontrack = (event) => { heard.srcObject = new MediaStream([event.track]); heard.play().catch(() => {}); };
  now.onconnectionstatechange = () => { if (now === peer && ["failed", "closed"].includes(now.connectionState)) silence(); };
  try {
    await connect(now);
  } catch (error) {
    if (now === peer) silence();
    throw error;
  }
}

function silence() {
  peer?.close();
  peer = heard.srcObject = null;
}
