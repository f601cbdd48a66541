// How previews behave, before sphinx-tippy makes them: for mouse, keyboard and finger, and never in the way.
(() => {
  "use strict";

  tippy.setDefaultProps({
    appendTo: () => document.querySelector(".bd-article"),
    aria: { content: "describedby", expanded: false },
    onCreate(instance) {
      const link = instance.reference;
      // The browser's own tooltip would cover the preview.
      link.removeAttribute("title");
      // Formulas and pictures arrive after a preview has been placed.
      new ResizeObserver(() => instance.popperInstance?.update()).observe(instance.popper);
      link.addEventListener("click", (event) => {
        // A finger has no way to hover: the first tap shows the preview, the second follows the link.
        if (tippy.currentInput.isTouch && event.timeStamp - instance.triggered < 700) event.preventDefault();
      });
    },
    onTrigger(instance, event) {
      if (!instance.state.isVisible) instance.triggered = event.timeStamp;
    },
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") tippy.hideAll();
  });
})();
