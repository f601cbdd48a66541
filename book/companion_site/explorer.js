// The explorer: draws what its controls choose, out of the histograms in explorer/masks.js.
(async () => {
  "use strict";

  const { blocks, widths, kinds, colours, nullColour, masks, packed } = window.graphonExplorer;
  const { themed, config, onThemeSwitch } = window.companionFigures;
  const names = Object.keys(masks);
  const form = document.querySelector("form.explorer");
  const fields = ["method", "depth", "layer", "density", "width", "kind", "scale"];
  const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, useGrouping: false }).format;
  const percent = (share) => `${short(100 * share)} %`;

  // How explorer.py packs them: each row less the row above it, modulo 256, as an array of bytes adds up by itself.
  const unpack = async (text) => {
    const deflated = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate"));
    const values = new Uint8Array(await new Response(stream).arrayBuffer());
    for (let i = 0; i < values.length; i += 1) {
      if (i % (blocks * blocks) >= blocks) values[i] += values[i - blocks];
    }
    return values;
  };
  const pixels = await unpack(packed);

  // What the controls say; the width as its place among the widths.
  const choices = () => {
    const chosen = Object.fromEntries(new FormData(form));
    return { ...chosen, at: Number(chosen.width), name: ["method", "depth", "layer", "density"].map((f) => chosen[f]).join(" ") };
  };

  // The share kept in each cell: an array of rows.
  const histogram = (name, at, kind) => {
    const place = kinds.indexOf(kind);
    const first = ((names.indexOf(name) * widths.length + at) * kinds.length + place) * blocks * blocks;
    const step = masks[name].steps[at][place];
    return Array.from({ length: blocks }, (_, row) =>
      Array.from(pixels.subarray(first + row * blocks, first + (row + 1) * blocks), (pixel) => pixel * step));
  };
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const degrees = (rows) => ({ rows: rows.map(mean), columns: rows[0].map((_, i) => mean(rows.map((row) => row[i]))) });
  const largest = (values) => values.reduce((most, value) => Math.max(most, value), 0);

  // What shares are divided by: a mask that keeps nothing is zero in any unit.
  const unit = ({ scale, name }, at) => (scale === "relative" && masks[name].density[at]) || 1;
  const unitName = ({ scale }) => (scale === "relative" ? "share kept / density" : "share kept");

  const react = (plot, data, layout) => {
    const place = form.querySelector(`[data-plot=${plot}] div`);
    const margin = { l: 52, r: 10, t: 8, b: 84 };
    const legend = { orientation: "h", x: 0, xanchor: "left", y: 0, yanchor: "bottom", yref: "container" };
    // A finger on a plot scrolls the page.
    const still = { autosize: true, dragmode: false, margin, legend, font: { size: 12 }, template: themed() };
    return Plotly.react(place, data, { ...still, ...layout }, config);
  };

  const drawHistogram = (chosen) => {
    const over = unit(chosen, chosen.at);
    const z = histogram(chosen.name, chosen.at, chosen.kind).map((row) => row.map((value) => value / over));
    const relative = chosen.scale === "relative";
    const ticks = relative ? { tickvals: [0, 1, 2, 3], ticktext: ["0", "1", "2", "3+"] } : { tickvals: [0, 0.5, 1] };
    const below = { orientation: "h", y: -0.12, yanchor: "top", thickness: 10, outlinewidth: 0 };
    const colorbar = { ...below, title: { text: unitName(chosen), side: "bottom" }, ...ticks };
    const side = { ticks: "", showticklabels: false, showgrid: false, fixedrange: true, constrain: "domain" };
    const hovertemplate = `row block %{y}, column block %{x}<br>${unitName(chosen)}: %{z:.3f}<extra></extra>`;
    const trace = { type: "heatmap", z, x0: 1, y0: 1, zmin: 0, zmax: relative ? 3 : 1, hovertemplate };
    react("histogram", [{ ...trace, colorscale: "Viridis", colorbar }], {
      xaxis: { ...side, title: { text: "lower layer, densest first", standoff: 4 } },
      yaxis: { ...side, title: { text: "upper layer, densest first", standoff: 4 }, autorange: "reversed", scaleanchor: "x", constraintoward: "top" },
    });
  };

  const drawDegrees = (chosen) => {
    const curves = (kind, at) => {
      const { rows, columns } = degrees(histogram(chosen.name, at, kind));
      return [rows, columns].map((values) => values.map((value) => value / unit(chosen, at)));
    };
    const x = Array.from({ length: blocks }, (_, i) => (i + 0.5) / blocks);
    const line = (y, name, colour, dash) => ({ x, y, name, mode: "lines", line: { color: colour, dash, width: 2 } });
    const colour = colours[chosen.method];
    const [rows, columns] = curves("mask", chosen.at);
    const [nullRows, nullColumns] = curves("erdos_renyi", chosen.at);
    // One range for all widths, so that a curve that moves is a curve that changed.
    const top = largest(widths.flatMap((_, at) => curves("mask", at).concat(curves("erdos_renyi", at))).flat());
    const data = [
      line(rows, "rows", colour, "solid"),
      line(columns, "columns", colour, "dash"),
      line(nullRows, "structureless", nullColour, "dot"),
      { ...line(nullColumns, "", nullColour, "dot"), showlegend: false },
    ];
    react("degrees", data, {
      xaxis: { title: { text: "neurons, densest first" }, range: [0, 1], fixedrange: true },
      yaxis: { title: { text: unitName(chosen) }, range: [0, 1.05 * top || 1], fixedrange: true },
    });
  };

  const drawDistances = (chosen) => {
    const { distances } = masks[chosen.name];
    // A logarithmic axis has no place for the distance of two masks that keep nothing.
    const line = (pair, kind, name, color, symbol, dash) => ({
      x: widths, y: distances[pair][kind].map((value) => value || null), name, mode: "lines+markers",
      line: { color, dash, width: 2 }, marker: { color, symbol, size: 8 },
    });
    const colour = colours[chosen.method];
    const data = [
      line("widest", "mask", "to the widest", colour, "circle", "solid"),
      line("widest", "erdos_renyi", "structureless", nullColour, "circle", "dot"),
      line("doubling", "mask", "n to 2n", colour, "diamond-open", "dash"),
      line("doubling", "erdos_renyi", "structureless", nullColour, "diamond-open", "dot"),
    ];
    const here = { type: "line", x0: widths[chosen.at], x1: widths[chosen.at], y0: 0, y1: 1, yref: "paper" };
    react("distances", data, {
      shapes: [{ ...here, line: { color: nullColour, width: 1 } }],
      xaxis: { title: { text: "width n" }, type: "log", tickvals: widths, fixedrange: true },
      yaxis: { title: { text: "distance" }, type: "log", dtick: "D2", exponentformat: "none", fixedrange: true },
    });
  };

  const sentence = (chosen) => {
    const { trials, density, distances } = masks[chosen.name];
    const [method, depth, layer, pruned, kind] = ["method", "depth", "layer", "density", "kind"].map((name) => labelOf(name));
    const widest = widths[widths.length - 1];
    const head = `${method}, ${pruned} pruned, ${depth} hidden layers of width ${widths[chosen.at]}, the mask between layers ${layer}: mean of ${trials[chosen.at]} networks.`;
    if (!density[chosen.at]) return `${head} This mask keeps nothing: all kept weights are in other layers.`;
    const { rows, columns } = degrees(histogram(chosen.name, chosen.at, "mask"));
    const random = degrees(histogram(chosen.name, chosen.at, "erdos_renyi"));
    const times = (share) => short(share / density[chosen.at]);
    const densest = largest(histogram(chosen.name, chosen.at, chosen.kind).flat());
    const apart = (of) => short(distances.widest[of][chosen.at]);
    return `${head} It keeps ${percent(density[chosen.at])} of its weights. In the heat map of ${kind} the densest cell keeps ` +
      `${percent(densest)}, ${times(densest)} times as much. The densest rows keep ${times(rows[0])} times the mean, the densest ` +
      `columns ${times(columns[0])} times; of structureless masks ${times(random.rows[0])} and ${times(random.columns[0])}. One ` +
      `network is ${apart("mask")} from the mean at width ${widest}, a structureless mask ${apart("erdos_renyi")}.`;
  };

  const labelOf = (name) => {
    const field = form.elements[name];
    if (field instanceof HTMLSelectElement) return field.selectedOptions[0].text;
    return [...field].find((radio) => radio.checked).parentElement.textContent;
  };

  const show = () => {
    // A network of two hidden layers has one mask between them.
    const { layer, depth } = form.elements;
    for (const option of layer.options) option.hidden = option.disabled = Number(option.value) >= Number(depth.value);
    if (layer.selectedOptions[0]?.disabled ?? true) layer.value = "1";
    const chosen = choices();
    form.elements.width.ariaValueText = `${widths[chosen.at]} neurons`;
    form.querySelector("output").textContent = `n = ${widths[chosen.at]}`;
    drawHistogram(chosen);
    drawDegrees(chosen);
    drawDistances(chosen);
    form.querySelector("[role=status]").textContent = sentence(chosen);
  };

  // The address holds the choices, the width by its number; what it says that cannot be chosen is passed over.
  const toAddress = () => {
    const told = fields.map((name) => [name, name === "width" ? widths[choices().at] : form.elements[name].value]);
    history.replaceState(null, "", `#${new URLSearchParams(told)}`);
  };
  const fromAddress = () => {
    for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
      if (!fields.includes(name)) continue;
      const field = form.elements[name];
      const before = field.value;
      field.value = name === "width" ? widths.indexOf(Number(value)) : value;
      if (name === "width" ? !widths.includes(Number(value)) : field.value !== value) field.value = before;
    }
  };

  form.hidden = false;
  fromAddress();
  show();
  onThemeSwitch(show);
  form.addEventListener("input", () => { show(); toAddress(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => {
    if (!location.hash.includes("=")) return;
    fromAddress();
    show();
    form.scrollIntoView();
    form.elements.method.focus({ preventScroll: true });
  });
})();
