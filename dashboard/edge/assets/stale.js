// Judges by the browser's own clock whether this page still hears from the server.
//
// A fragment rewrites the text of .st-key-ops-heartbeat every two seconds, and only when it could read the store.
// We look at nothing but "did the text change, and when by our clock": a wrong clock on either side does not matter,
// and a server that is frozen, gone or cut off looks the same as it should: stale.
"use strict";

(() => {
  const LIMIT_MS = 7000;
  const LOOK_EVERY_MS = 500;
  const started = performance.now();
  let lastText = "";
  let lastChange = started;
  let lastHeard = null;
  let banner = null;
  let plainTitle = null;

  const buildBanner = () => {
    banner = document.createElement("div");
    banner.id = "ops-stale";
    banner.setAttribute("role", "alert");
    const word = document.createElement("span");
    word.className = "ops-stale-word";
    word.textContent = "▲ STALE";
    const text = document.createElement("span");
    text.className = "ops-stale-text";
    banner.append(word, text);
    document.body.append(banner);
  };

  const clock = (date) => date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

  const sentence = (seconds) => {
    const since = lastHeard === null
      ? `This page has heard nothing from the server for ${seconds} s.`
      : `Nothing new from the server for ${seconds} s; last heard at ${clock(lastHeard)} on this device.`;
    return `${since} What you see may be wrong. It clears by itself when the server answers.`;
  };

  const show = (ageMs) => {
    if (banner === null) buildBanner();
    const root = document.documentElement;
    if (!root.classList.contains("ops-stale")) {
      root.classList.add("ops-stale");
      plainTitle = document.title;
      document.title = `STALE · ${plainTitle}`;
    }
    const text = banner.lastElementChild;
    const wanted = sentence(Math.floor(ageMs / 1000));
    if (text.textContent !== wanted) text.textContent = wanted;
  };

  const clear = () => {
    const root = document.documentElement;
    if (!root.classList.contains("ops-stale")) return;
    root.classList.remove("ops-stale");
    if (plainTitle !== null) document.title = plainTitle;
    if (banner !== null) banner.lastElementChild.textContent = "";
  };

  const look = () => {
    const now = performance.now();
    const beat = document.querySelector(".st-key-ops-heartbeat");
    const text = beat === null ? "" : beat.textContent;
    if (text !== "" && text !== lastText) {
      lastText = text;
      lastChange = now;
      lastHeard = new Date();
    }
    const age = now - lastChange;
    if (age > LIMIT_MS) show(age);
    else clear();
  };

  setInterval(look, LOOK_EVERY_MS);
  // A hidden tab is throttled: judge at once when it is looked at again.
  document.addEventListener("visibilitychange", look);
})();
