// Sorting and filtering of the gallery. Without this script the page shows every stack by name.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const names = "gallery controls find kind sort direction compact shown nothing".split(" ");
  const [gallery, controls, find, kind, sort, direction, compact, shown, nothing] = names.map(byId);
  if (!controls) return; // a single stack needs none
  const cards = Array.from(gallery.children, (element) => {
    const words = element.querySelectorAll("h3, .warnings, .place a");
    const text = Array.from(words, (word) => word.textContent).join("\n").toLowerCase();
    return { element, text };
  });

  const figure = (card, key) => {
    const text = card.element.dataset[key];
    return text === undefined ? NaN : Number(text);
  };

  // A stack without the figure comes last in either direction.
  const compare = (key, sign) => (a, b) => {
    const [x, y] = [figure(a, key), figure(b, key)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return sign * (x - y) || figure(a, "order") - figure(b, "order");
  };

  const arrange = () => {
    const sign = direction.value === "descending" ? -1 : 1;
    cards.sort(compare(sort.value, sign));
    gallery.append(...cards.map((card) => card.element));
  };

  // The first stack of a new order is the one that was asked for.
  const rearrange = () => {
    arrange();
    if (gallery.getBoundingClientRect().top < 0) byId("stacks").scrollIntoView();
  };

  const setDirection = (value) => {
    direction.value = value;
    direction.textContent = value === "descending" ? "↓ descending" : "↑ ascending";
  };

  const filter = () => {
    const wanted = find.value.trim().toLowerCase();
    let count = 0;
    for (const { element, text } of cards) {
      const fits = text.includes(wanted) && (!kind.value || kind.value in element.dataset);
      element.hidden = !fits;
      count += fits ? 1 : 0;
    }
    shown.textContent = `${count.toLocaleString("en")} of ${cards.length.toLocaleString("en")}`;
    nothing.hidden = count > 0;
  };

  // A link from a distribution leads to its card, even to one that is filtered out.
  const reveal = () => {
    const target = location.hash && byId(location.hash.slice(1));
    if (!target || !target.hidden) return;
    find.value = kind.value = "";
    filter();
    target.scrollIntoView();
  };

  controls.addEventListener("submit", (event) => event.preventDefault());
  find.addEventListener("input", filter);
  kind.addEventListener("change", filter);
  sort.addEventListener("change", () => {
    setDirection(sort.selectedOptions[0].dataset.direction);
    rearrange();
  });
  direction.addEventListener("click", () => {
    setDirection(direction.value === "descending" ? "ascending" : "descending");
    rearrange();
  });
  const shrink = () => gallery.classList.toggle("compact", compact.checked);
  compact.addEventListener("change", shrink);
  window.addEventListener("hashchange", reveal);
  window.addEventListener("beforeprint", () => {
    for (const image of document.images) image.loading = "eager";
  });

  // A reload keeps what was typed and chosen.
  setDirection(sort.selectedOptions[0].dataset.direction);
  shrink();
  arrange();
  filter();
  controls.hidden = false;
})();
