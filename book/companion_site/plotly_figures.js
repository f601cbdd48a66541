// Draws the page's Plotly figures in the colours of the page's theme, and again when the reader switches it.
(() => {
  "use strict";

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--pst-color-${name}`).trim();
    return { text: colour("text-base"), grid: colour("border"), surface: colour("surface") };
  };

  // A Plotly template is what a figure looks like where it says nothing itself.
  const themed = (template = {}) => {
    const { text, grid, surface } = colours();
    const axis = { gridcolor: grid, linecolor: grid, zerolinecolor: grid };
    const wall = { ...axis, backgroundcolor: surface };
    const button = { font: { color: text }, bgcolor: surface, bordercolor: grid };
    const layout = template.layout || {};
    return {
      ...template,
      layout: {
        ...layout,
        font: { ...layout.font, color: text },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        xaxis: { ...layout.xaxis, ...axis },
        yaxis: { ...layout.yaxis, ...axis },
        scene: { ...layout.scene, xaxis: wall, yaxis: wall, zaxis: wall },
        hoverlabel: { ...layout.hoverlabel, ...button },
        sliderdefaults: { ...layout.sliderdefaults, ...button, activebgcolor: text, tickcolor: text },
        updatemenudefaults: { ...layout.updatemenudefaults, ...button },
        annotationdefaults: { ...layout.annotationdefaults, arrowcolor: text },
      },
    };
  };

  const config = { responsive: true, displaylogo: false, typesetMath: false };
  const onThemeSwitch = (redraw) =>
    new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });

  const draw = (script) => {
    const box = script.parentElement;
    const figure = JSON.parse(script.textContent);
    const template = figure.layout.template;
    const layout = { ...figure.layout, autosize: true, template: themed(template) };
    if (box.clientWidth < 500) {
      // On a phone a legend or wide margins at the sides would leave no room for the plot itself.
      layout.margin = { ...layout.margin, l: 48, r: 16 };
      layout.legend = { ...layout.legend, orientation: "h", x: 0, xanchor: "left", y: -0.25, yanchor: "top" };
    }
    const plot = document.createElement("div");
    box.append(plot);
    const drawn = Plotly.newPlot(plot, { data: figure.data, layout, frames: figure.frames, config });
    onThemeSwitch(() => drawn.then(() => Plotly.relayout(plot, { template: themed(template) })));
  };

  document.querySelectorAll(".plotly-figure > script").forEach(draw);
  window.companionFigures = { config, onThemeSwitch, themed };
})();
