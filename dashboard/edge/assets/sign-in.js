// A link from a chat or a mail opens us without our cookie: it is SameSite=Strict. Asked from our own page, the
// browser sends it; so whoever is signed in goes straight on to where the link led.
"use strict";

(() => {
  const after = document.querySelector('input[name="next"]');
  const target = document.querySelector('input[name="target"]');
  if (after === null || target === null || document.querySelector(".problem") !== null) return;
  fetch(`/auth/session?target=${encodeURIComponent(target.value)}`, { cache: "no-store" })
    .then((answer) => answer.json())
    .then((session) => { if (session.signed_in) location.replace(after.value); })
    .catch(() => undefined);
})();
