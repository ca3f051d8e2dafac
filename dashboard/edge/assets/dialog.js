// In a dialog that confirms what cannot be undone, Cancel has the focus: Enter pressed by habit does nothing.
"use strict";

(() => {
  const focused = new WeakSet();
  const look = () => {
    const cancel = document.querySelector('[role="dialog"] [class*="st-key-cancel-"] button');
    if (cancel === null || focused.has(cancel)) return;
    focused.add(cancel);
    // After the dialog has taken the focus for itself.
    setTimeout(() => cancel.focus(), 50);
  };
  new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
})();
