// One player at a time, and from one recipe to the next at the same moment of the clip, so that two can be compared.
const players = [...document.querySelectorAll("audio")];
for (const player of players) {
  player.addEventListener("play", () => {
    for (const other of players) {
      if (other === player || other.paused) continue;
      other.pause();
      if (other.dataset.clip === player.dataset.clip) player.currentTime = other.currentTime;
    }
  });
}
