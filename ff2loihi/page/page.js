"use strict";
// Shows what was picked: of the elements with data-sample, -label or -neuron those whose values are all picked ones.
document.documentElement.classList.add("script");
const pickers = [...document.querySelectorAll("select[data-pick]")];
const shown = [...document.querySelectorAll("[data-sample], [data-label], [data-neuron]")];

function picked(key, element) {
  const own = element.closest("[data-model]");
  const inside = own && own.querySelector(`select[data-pick="${key}"]`);
  return (inside || document.querySelector(`select[data-pick="${key}"]`)).value;
}

function show() {
  for (const element of shown) {
    element.hidden = ["sample", "label", "neuron"].some(
      (key) => key in element.dataset && element.dataset[key] !== picked(key, element),
    );
  }
}

for (const picker of pickers) picker.addEventListener("change", show);
show();
