// Light or dark: as the system has it until the reader chooses, and the choice is kept where the browser allows it.
const find = (id) => document.getElementById(id);
const root = document.documentElement;
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const themed = []; // what to do when the colours have changed

function kept(value) {
  try {
    if (value) localStorage.setItem("vcompress-theme", value);
    else if (value === null) localStorage.removeItem("vcompress-theme");
    return localStorage.getItem("vcompress-theme");
  } catch {
    return null; // a page opened as a file may not be allowed to keep anything
  }
}

const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);

function showTheme() {
  const other = isDark() ? "light" : "dark";
  find("theme").textContent = other[0].toUpperCase() + other.slice(1);
  find("theme").setAttribute("aria-label", `Change to the ${other} theme`);
  for (const change of themed) change();
}

for (const part of document.querySelectorAll("[data-scripted]")) part.hidden = false;
if (["light", "dark"].includes(kept())) root.dataset.theme = kept();
find("theme").hidden = false;
find("theme").addEventListener("click", () => {
  const wanted = isDark() ? "light" : "dark", own = (wanted === "dark") !== systemDark.matches;
  if (own) root.dataset.theme = wanted;
  else delete root.dataset.theme; // as the system has it again
  kept(own ? wanted : null);
  showTheme();
});
systemDark.addEventListener("change", showTheme);

// What a colour of the style sheet is in the theme that is shown, as charts need it.
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);
function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}
