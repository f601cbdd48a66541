// What scrolls can be reached by key. The theme sees to it when the window changes, this when anything does.
(() => {
  "use strict";

  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
  });
  document.querySelectorAll(".bd-article pre").forEach((code) => observer.observe(code));
})();
