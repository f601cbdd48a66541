// Makes the single page of the book what is to be printed: see pdf.py.
(() => {
  "use strict";

  const all = (selector) => [...document.querySelectorAll(selector)];

  const element = (name, attributes, ...children) => {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  };

  // The single page nests chapters in the landing page: that goes down a level, and the title of the book above both.
  const level = () => {
    for (const heading of all(".bd-article :is(h1, h2, h3)").filter((one) => !one.closest(".toctree-wrapper"))) {
      heading.replaceWith(element(`h${Number(heading.tagName[1]) + 1}`, {}, ...heading.childNodes));
    }
  };

  // Links to other pages of the site lead to their places in the book; what the book does not hold is named, not linked.
  const relink = () => {
    for (const link of all("a[href]")) {
      const [page, anchor] = link.getAttribute("href").split("#");
      if (/^(https?|mailto):/.test(page)) continue;
      const cited = link.closest(".bibtex-citation") && document.querySelector(`.citation[id="${anchor}"]`);
      const name = page.replace(/^(\.\.\/)*/, "").replace(/\.html$/, "");
      const found = cited || document.getElementById(anchor) || document.getElementById(`document-${name}`)
        || (page === "intro.html" ? document.querySelector(".bd-article > section") : null);
      if (!found) {
        link.replaceWith(...link.childNodes);
        continue;
      }
      if (cited) cited.id = `citation-${anchor}`;
      link.setAttribute("href", `#${found.id}`);
    }
  };

  // Plotly figures stand still, in the state in which the page shows them first.
  const still = async (box) => {
    const figure = JSON.parse(box.querySelector("script").textContent);
    const size = { width: box.clientWidth, height: Math.min(figure.layout.height || 450, 700) };
    const source = await Plotly.toImage({ ...figure, config: { typesetMath: false } }, { format: "svg", ...size });
    box.replaceWith(element("img", { src: source, alt: box.getAttribute("aria-label"), ...size }));
  };

  // What is too wide for the page is made smaller.
  const fit = () => {
    for (const wide of all(".bd-article :is(table, mjx-container)")) {
      const room = wide.closest("section, details, figure").clientWidth;
      const width = wide.getBoundingClientRect().width;
      if (width > room) wide.style.zoom = room / width;
    }
  };

  const front = ({ commit, date }) => {
    const contents = element("ol", {});
    let sections = contents;
    all(".bd-article :is(h2, h3)").forEach((heading, index) => {
      const title = element("a", { href: `#${heading.parentElement.id}` }, heading.textContent.replace(/#$/, ""));
      const item = element("li", {}, title);
      if (heading.tagName === "H2") {
        contents.append(item);
        sections = element("ol", {});
        item.append(sections);
      } else sections.append(item);
    });
    document.querySelector(".bd-article").prepend(
      element(
        "div",
        { className: "print-title" },
        element("h1", {}, document.title),
        element("p", {}, "Text and figures: CC BY 4.0. Code: MIT."),
        element("p", {}, `Made from commit ${commit}, ${date}.`),
        element(
          "p",
          {},
          "The code of the figures is left out, and figures to turn and slide stand still: both are on the book’s site " +
            "and in its notebooks.",
        ),
      ),
      element("div", { className: "print-contents" }, element("h2", {}, "Contents"), contents),
    );
  };

  window.preparePrint = async (of) => {
    document.documentElement.dataset.theme = "light";
    all("#jb-print-docs-body, details:is(.above-input, .below-input), noscript, .toctree-wrapper > .caption")
      .forEach((node) => node.remove());
    all("details").forEach((node) => { node.open = true; });
    // Of a figure's box and the picture in it, one is a figure to a reader who hears the book: that with the alternative.
    all("figure").forEach((node) => { node.role = "group"; });
    all("img[loading]").forEach((node) => node.removeAttribute("loading"));
    const chapter = element("a", { href: "chapters/01_mask_convergence.html" }, "Chapter 1");
    document.querySelector("form.explorer")
      ?.replaceWith(element("p", {}, "The explorer works on the book’s site only. ", chapter, " shows the same as pictures."));
    level();
    relink();
    front(of);
    await Promise.all(all(".plotly-figure").map(still));
    await Promise.all(all("img").map((image) => image.decode()));
    fit();
  };
})();
