const tip = document.getElementById("tip");
const select = document.getElementById("quality");

select.addEventListener("change", () => {
  for (const panels of document.querySelectorAll(".panels[data-quality]")) panels.hidden = panels.dataset.quality !== select.value;
});

// The tooltip below takes the place of the browser's own, which is slow and absent on touch screens.
for (const title of document.querySelectorAll(".point title")) title.remove();

function show(point) {
  tip.textContent = point.dataset.tip;
  tip.hidden = false;
  const mark = point.getBoundingClientRect();
  const left = Math.min(Math.max(8, mark.left + mark.width / 2 - tip.offsetWidth / 2), innerWidth - tip.offsetWidth - 8);
  const above = mark.top - tip.offsetHeight - 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 8 ? above : mark.bottom + 8}px`;
}

const hide = () => { tip.hidden = true; };
for (const point of document.querySelectorAll("[data-tip]")) {
  point.addEventListener("pointerenter", () => show(point));
  point.addEventListener("focus", () => show(point));
  point.addEventListener("click", () => show(point));
  point.addEventListener("pointerleave", hide);
  point.addEventListener("blur", hide);
}
addEventListener("scroll", hide, { passive: true });
addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

// One player at a time, so that two recipes can be compared by pressing one after the other.
for (const audio of document.querySelectorAll("audio")) {
  audio.addEventListener("play", () => { for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause(); });
}
