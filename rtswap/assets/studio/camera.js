// WebRTC: this browser's camera to the studio, and the swapped picture back. Comes back when the connection breaks.

import { call } from "./api.js";

const FASTEST = 30, SLOWEST = 10, STEP = 5; // frames a second
const SETTLED = 60; // frames after which a session's drops count: the first ones wait for the networks
const TOO_MANY = 0.1; // the share that may be dropped
const PATIENCE = 4, MOST_PATIENCE = 64; // looks without drops after which more is tried; twice as many if that failed

export class Camera {
  /** onPicture(stream), onOwn(stream), onLost(text) */
  constructor({ onPicture, onOwn, onLost }) {
    Object.assign(this, { onPicture, onOwn, onLost });
    this.wanted = false;
    this.delay = 500;
    Object.assign(this, { rate: FASTEST, calm: 0, patience: PATIENCE, raised: false });
  }

  get own() { return this.stream; }

  async open() {
    this.wanted = true;
    if (!navigator.mediaDevices) throw new Error("This browser gives its camera only to https pages and to pages of its own machine.");
    if (!this.stream?.active) {
      const video = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
      const allowed = async (name) => (await navigator.permissions?.query({ name }).catch(() => undefined))?.state !== "denied";
      try {
        this.stream = await navigator.mediaDevices.getUserMedia({ video, audio: await allowed("microphone") });
      } catch (error) {
        if (error.name === "NotAllowedError") throw new Error("The browser was not allowed to use the camera. Allow it beside the address of this page, then press Start again.");
        if (!(await navigator.mediaDevices.enumerateDevices()).some((one) => one.kind === "videoinput")) throw new Error("This browser finds no camera. Connect one, or choose Open a clip in the list.");
        this.stream = await navigator.mediaDevices.getUserMedia({ video }); // no microphone
      }
      this.onOwn(this.stream);
    }
    try {
      await this.connect();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async connect() {
    this.peer?.close();
    const peer = (this.peer = new RTCPeerConnection({ iceServers: [] }));
    for (const track of this.stream.getTracks()) peer.addTransceiver(track, { direction: track.kind === "video" ? "sendrecv" : "sendonly", streams: [this.stream] });
    peer.ontrack = (event) => {
      if (event.track.kind !== "video") return;
      if (event.receiver) event.receiver.jitterBufferTarget = 0;
      this.onPicture(new MediaStream([event.track]));
    };
    peer.onconnectionstatechange = () => {
      if (peer !== this.peer) return;
      if (peer.connectionState === "connected") this.delay = 500;
      if (["failed", "disconnected", "closed"].includes(peer.connectionState)) this.again();
    };
    await connect(peer);
    await this.tune();
  }

  async tune() {
    for (const sender of this.peer?.getSenders() ?? []) {
      const set = sender.getParameters();
      if (sender.track?.kind !== "video" || !set.encodings?.length) continue;
      set.degradationPreference = "maintain-resolution";
      Object.assign(set.encodings[0], { maxBitrate: 6e6, maxFramerate: this.rate });
      await sender.setParameters(set).catch(() => {}); // some browsers know only some of them
    }
  }

  /** Send no more frames than the studio has time for: of each that it drops this browser and it have encoded and
   * decoded a picture, which makes those that count later. Called with the figures of every status. */
  async pace({ fps, dropped = 0, frames = 0 }) {
    const before = this.seen, rate = this.rate;
    this.seen = { dropped, frames };
    if (!before || frames < before.frames || frames < SETTLED) return;
    const late = dropped - before.dropped;
    if (late > TOO_MANY * (late + frames - before.frames)) {
      if (this.raised) this.patience = Math.min(2 * this.patience, MOST_PATIENCE);
      this.rate = Math.max(SLOWEST, Math.min(rate - 1, Math.ceil(fps)));
      Object.assign(this, { calm: 0, raised: false });
    } else if (++this.calm >= this.patience) {
      this.rate = Math.min(rate + STEP, FASTEST);
      Object.assign(this, { calm: 0, raised: this.rate > rate });
    }
    if (rate !== this.rate) await this.tune();
  }

  again() {
    if (!this.wanted || this.timer) return;
    this.onLost();
    this.timer = setTimeout(async () => {
      this.timer = 0;
      if (!this.wanted) return;
      try { await this.connect(); } catch { this.delay = Math.min(this.delay * 2, 5000); this.again(); }
    }, this.delay);
  }

  close() {
    this.wanted = false;
    clearTimeout(this.timer);
    this.timer = 0;
    this.peer?.close();
    this.peer = undefined;
    for (const track of this.stream?.getTracks() || []) track.stop();
    this.stream = undefined;
  }
}

/** Offer the studio what this end sends and takes. */
export async function connect(peer) {
  await peer.setLocalDescription(await peer.createOffer());
  await gathered(peer);
  if (!/^a=candidate/m.test(peer.localDescription.sdp)) throw new Error("This browser sends pictures only while this computer is in a network, even one without internet. Choose the computer's own camera in the list.");
  const answer = await call("POST", "/api/offer", { sdp: peer.localDescription.sdp, type: "offer" });
  await peer.setRemoteDescription({ type: answer.type, sdp: quick(answer.sdp) });
}

/** Begin with a sharp picture: browsers assume a slow line, and find out only after seconds that it is none. */
const quick = (sdp) => sdp.replace(/^a=rtpmap:(\d+) (?:VP8|H264)\/90000\r\n/gm, "$&a=fmtp:$1 x-google-start-bitrate=4000;x-google-min-bitrate=800\r\n")
  .replace(/^(a=fmtp:(\d+) x-google[^\r]*)\r\n((?:a=rtcp-fb:\2 [^\r]*\r\n)*)a=fmtp:\2 ([^\r]*)\r\n/gm, "$1;$4\r\n$3");

function gathered(peer) {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => { if (peer.iceGatheringState === "complete") resolve(); };
    peer.addEventListener("icegatheringstatechange", done);
    setTimeout(resolve, 1500);
  });
}
