// In a dialog that confirms what cannot be undone, Cancel has the focus: Enter pressed by habit does nothing.
"use strict";

(() => {
  const TRIES = 12;
  const TRY_EVERY_MS = 100;
  const seen = new WeakSet();

  // The dialog takes the focus for itself once it has opened, so we ask until Cancel holds it or somebody types.
  const giveFocus = (cancel, dialog, left) => {
    const holder = document.activeElement;
    if (left === 0 || !cancel.isConnected || holder === cancel) return;
    if (holder !== null && dialog.contains(holder) && holder.matches("input, textarea")) return;
    cancel.focus();
    setTimeout(giveFocus, TRY_EVERY_MS, cancel, dialog, left - 1);
  };

  const look = () => {
    const cancel = document.querySelector('[role="dialog"] [class*="st-key-cancel-"] button');
    if (cancel === null) return;
    const dialog = cancel.closest('[role="dialog"]');
    if (seen.has(dialog)) return;
    seen.add(dialog);
    setTimeout(giveFocus, TRY_EVERY_MS, cancel, dialog, TRIES);
  };

  new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
})();
