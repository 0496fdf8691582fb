// Requests to the studio. Errors are its problem documents, as Error with one line.

/** The address of something of this page's session. */
export function at(path) {
  const url = new URL(path, location.href), session = new URLSearchParams(location.search).get("session");
  if (session) url.searchParams.set("session", session);
  return url.href;
}

export async function call(method, path, body) {
  const file = body instanceof Blob;
  const headers = body === undefined ? {} : { "Content-Type": file ? "application/octet-stream" : "application/json" };
  let response;
  try {
    response = await fetch(at(path), { method, headers, body: body === undefined || file ? body : JSON.stringify(body) });
  } catch {
    throw new Error("The studio does not answer. Is it still running?");
  }
  const json = (response.headers.get("Content-Type") || "").includes("json");
  const found = json ? await response.json() : undefined;
  if (!response.ok) throw Object.assign(new Error(found?.detail || `${response.status} ${response.statusText}`), { status: response.status });
  return found;
}

/** Upload a file; progress(share) is told how far it is. */
export function upload(path, file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", at(path));
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => (request.status < 300 ? resolve(request.response) : reject(new Error(request.response?.detail || request.statusText)));
    request.onerror = () => reject(new Error("The upload broke off."));
    request.send(file);
  });
}

/** Watch /api/status over a WebSocket; connects again when it breaks. onGone(): the studio no longer has this page's session. */
export function watch(onStatus, onLost, onGone) {
  let since = 0, delay = 500;
  const connect = () => {
    const socket = new WebSocket(at(`/api/status?since=${since}`).replace(/^http/, "ws"));
    socket.onmessage = (event) => {
      delay = 500;
      const status = JSON.parse(event.data);
      for (const one of status.events) since = Math.max(since, one.number);
      onStatus(status);
    };
    socket.onclose = () => {
      onLost();
      call("GET", "/api/session").catch((error) => { if (error.status === 422) onGone(); });
      setTimeout(() => { since = 0; connect(); }, delay);
      delay = Math.min(delay * 2, 5000);
    };
  };
  connect();
}
