// A link to code opens the fold that hides it, in browsers that do not by themselves.
function unfold() {
  const code = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const fold = code && code.matches(".cell_input > *") && code.closest("details:not([open])");
  if (fold) {
    fold.open = true;
    code.scrollIntoView();
  }
}

addEventListener("hashchange", unfold);
addEventListener("load", unfold);
