// A button on each figure that opens it in a dialog as large as the screen; Escape closes it and the focus goes back.
(() => {
  "use strict";

  const icon = (name) => `<i class="fa-solid ${name}" aria-hidden="true"></i>`;
  const button = (label, name, act) => {
    const made = Object.assign(document.createElement("button"), { type: "button", ariaLabel: label, innerHTML: icon(name) });
    made.className = "enlarge-button";
    made.addEventListener("click", act);
    return made;
  };

  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  const stage = Object.assign(document.createElement("div"), { className: "enlarged-stage", tabIndex: 0 });
  dialog.append(button("Close", "fa-xmark", () => dialog.close()), stage);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  const resize = (box) => {
    const plot = box.querySelector(".js-plotly-plot");
    if (plot) Plotly.Plots.resize(plot);
  };

  const enlarge = (shown, name) => {
    if (shown instanceof HTMLImageElement) {
      stage.replaceChildren(shown.cloneNode());
    } else {
      // A plot that lives is moved, not copied, and put back afterwards.
      const place = document.createComment("enlarged");
      shown.replaceWith(place);
      stage.replaceChildren(shown);
      dialog.addEventListener("close", () => { place.replaceWith(shown); resize(shown); }, { once: true });
    }
    dialog.ariaLabel = name;
    stage.ariaLabel = name;
    dialog.showModal();
    resize(stage);
  };

  for (const figure of document.querySelectorAll(".bd-article figure")) {
    const shown = figure.querySelector("img, .plotly-figure");
    if (!shown) continue;
    const name = figure.querySelector(".caption-number")?.textContent.trim() || "the figure";
    const open = button(`Enlarge ${name}`, "fa-expand", () => enlarge(shown, name));
    figure.prepend(open);
    if (!(shown instanceof HTMLImageElement)) continue;
    shown.classList.add("enlargeable");
    shown.addEventListener("click", () => { open.focus(); open.click(); });
  }
  document.body.append(dialog);
})();
