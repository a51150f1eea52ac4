"use strict";
// What the page does beyond plain HTML: the gallery's filters, its order, and the layer over each image.
(() => {
  const form = document.getElementById("controls");
  const gallery = document.getElementById("gallery");
  const status = document.getElementById("shown");
  const field = form.elements;
  const cards = [...gallery.children];

  const figure = (card, key) => (card.dataset[key] ? Number(card.dataset[key]) : Infinity);
  const by = (key) => (a, b) => figure(a, key) - figure(b, key) || 0;
  const falling = (key) => (a, b) => !a.dataset[key] - !b.dataset[key] || figure(b, key) - figure(a, key) || 0;
  const orders = {
    group: (a, b) => by(field.group.value || "place")(a, b),
    lowest: by("iou"),
    highest: falling("iou"),
    uncertainty: falling("uncertainty"),
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name, undefined, { numeric: true }),
  };

  function choose() {
    const group = field.group.value;
    const label = field.label.value;
    const fits = (card) =>
      (!group || group in card.dataset) && (!label || card.dataset.classes.split(" ").includes(label));
    gallery.append(...[...cards].sort(orders[field.order.value]));
    cards.forEach((card) => (card.hidden = !fits(card)));
    status.textContent = `${cards.filter(fits).length} of ${cards.length} images shown`;
  }

  function look() {
    const view = field.layer.value;
    gallery.dataset.view = view;
    gallery.classList.toggle("stacked", view !== "all");
    gallery.classList.toggle("wipe", field.wipe.checked);
    gallery.style.setProperty("--mix", field.mix.value / 100);
    field.mix.disabled = field.wipe.disabled = view === "all";
  }

  // A moved slider must not have the count read out again.
  form.addEventListener("input", (event) => (["group", "label", "order"].includes(event.target.name) ? choose() : look()));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelectorAll(".controls").forEach((part) => (part.hidden = false));
  choose();
  look();
})();
