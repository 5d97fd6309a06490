"""Mixed precision (recipe mixed_w8a8): what costs most in 8 bits gets 16, or stays float, under a budget of quality or of predicted time.

Greedy: the damage of each tensor and each layer's weights alone, for the cost that its other precision would add, then what is
left is measured again; at the end, what turns out not to be needed goes back to 8 bits. Cost is predicted time; for a layer in
float also the bytes that it adds, one percent of all weights counting as one percent of the time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .bits import Bits
from .costs import Costs
from .judge import Judge
from .ranking import Damage, Ranked, Ranking

Progress = Callable[[int, int, str], None]
LOG_MEL_L1 = 0.05  # what int8 may add to fp32's log-mel L1
MOST_RETURNS = 40  # how many are tried to go back to 8 bits
NOTHING = 1e-12  # seconds: of two that cost nothing the more damaging comes first


@dataclass(frozen=True)
class Goal:
    """`snr` in dB against fp32 and `log_mel_l1` over fp32's, both reached at the least time; or, with `slower`, the best within a time.

    `slower`: predicted time over that of 8 bits everywhere, 0.1 is 10 % more.
    """

    snr: float = 20.0
    log_mel_l1: float = LOG_MEL_L1
    slower: float | None = None

    def missed(self, damage: Damage) -> tuple[float, float]:
        """How many times the error's energy, and the log-mel L1, are what they may be; at most 1 where the goal is met."""
        noise = 0.0 if damage.snr is None else 10 ** ((self.snr - damage.snr) / 10)
        return noise, damage.log_mel_l1 / self.log_mel_l1

    def met_by(self, damage: Damage) -> bool:
        """Whether both bounds are kept."""
        return max(self.missed(damage)) <= 1


@dataclass(frozen=True)
class Choice:
    """`bits`: what is not 8 bits, with its reason. `damage` as it was measured while choosing; seconds are predicted, a second of audio on one thread.

    `measurements`: (how many are not 8 bits, damage) in the order in which they were taken.
    """

    bits: Bits
    damage: Damage
    met: bool
    seconds: float
    seconds_int8: float
    seconds_float: float
    integer_layers: int
    layers: int
    tensors: int
    float_layers: int
    measurements: list[tuple[int, Damage]]


def choose(judge: Judge, costs: Costs, ranking: Ranking, floats: Mapping[str, str], goal: Goal, progress: Progress = lambda *_: None) -> Choice:
    """Choose by a ranking of the tensors and weights. `floats`: layers that no recipe makes integer, and why."""
    search = _Search(judge, costs, ranking, goal)
    search.widen(progress)
    if goal.slower is None:
        search.narrow(progress)
    wide = {key: search.reason(unit) for unit in search.chosen.values() if unit.kind == "tensor" for key in unit.keys}
    layers = {unit.name: search.reason(unit) for unit in search.chosen.values() if unit.kind == "weights"}
    tensors, floating = search.sets(search.chosen)
    units = judge.units
    return Choice(
        Bits({**floats, **layers}, wide),
        search.damage,
        goal.met_by(search.damage),
        search.seconds(search.chosen),
        search.seconds({}),
        costs.work(units.tensors.keys(), units.weights).seconds(),
        costs.integer_layers(tensors, floating),
        costs.integer_layers((), ()),
        len(tensors),
        len(floating),
        search.measurements,
    )


Chosen = dict[str, Ranked]


class _Search:
    """`chosen`: what is not 8 bits so far; `damage`: of all the rest in 8 bits."""

    def __init__(self, judge: Judge, costs: Costs, ranking: Ranking, goal: Goal):
        self.judge, self.costs, self.goal = judge, costs, goal
        self.left = {f"{row.kind} {row.name}": row for row in ranking.sorted("tensor", "weights")}
        self.chosen: Chosen = {}
        self._second_a_parameter = 3 * self.seconds({}) / sum(judge.units.parameters.values())
        self.measurements: list[tuple[int, Damage]] = []
        self.damage = self.measure(self.chosen)

    def sets(self, chosen: Chosen) -> tuple[set[str], set[str]]:
        """The names of the tensors, and the paths of the layers."""
        return {row.name for row in chosen.values() if row.kind == "tensor"}, {row.name for row in chosen.values() if row.kind == "weights"}

    def seconds(self, chosen: Chosen) -> float:
        return self.costs.work(*self.sets(chosen)).seconds()

    def bytes(self, chosen: Chosen) -> float:
        """What the layers in float add to the file, in seconds."""
        return self._second_a_parameter * sum(self.judge.units.parameters[path] for path in self.sets(chosen)[1])

    def measure(self, chosen: Chosen) -> Damage:
        tensors, weights = self.sets(chosen)
        damage = self.judge.measure(self.judge.units.tensors.keys() - tensors, set(self.judge.units.weights) - weights)
        self.measurements.append((len(chosen), damage))
        return damage

    def reason(self, row: Ranked) -> str:
        snr = "no error" if row.alone.snr is None else f"{row.alone.snr:.1f} dB SNR"
        return f"8 bits of it alone: {snr}, {row.alone.log_mel_l1:+.1%} log-mel L1".replace("%", " %")

    def widen(self, progress: Progress) -> None:
        """Add what brings most for its time until the goal is met, or the time is used up; measured again after each batch."""
        while self.left and (self.goal.slower is not None or not self.goal.met_by(self.damage)):
            progress(len(self.chosen), len(self.chosen) + len(self.left), f"{len(self.chosen)} of more than 8 bits")
            if not self._batch():
                return
            self.damage = self.measure(self.chosen)

    def _batch(self) -> bool:
        """Add until the goal should be met by the sum of what is left, scaled to the damage measured last. False: nothing fits."""
        noise, mel = self.goal.missed(self.damage)
        shares = {key: (row.alone.noise, max(0.0, row.alone.log_mel_l1)) for key, row in self.left.items()}
        totals = [sum(share[i] for share in shares.values()) or 1.0 for i in (0, 1)]
        missed = [noise, max(0.0, mel)]
        slack, before = (0.0 if self.goal.slower is not None else 1.0), len(self.chosen)
        most = max(1, len(self.left) // 8) if self.goal.slower is not None else len(self.left)
        while len(self.chosen) - before < most:
            over = [max(0.0, value - slack) for value in missed]
            if not any(over):
                break
            found = self._best({key: sum(_part(over[i], missed[i], shares[key][i] / totals[i] * (noise, mel)[i]) for i in (0, 1)) for key in self.left})
            if found is None:
                break
            self.chosen[found] = self.left.pop(found)
            missed = [value - shares[found][i] / totals[i] * (noise, mel)[i] for i, value in enumerate(missed)]
        return len(self.chosen) > before

    def _best(self, gains: Mapping[str, float]) -> str | None:
        """The unit of the most gain a second, of those that the time allows."""
        wide, floats = self.sets(self.chosen)
        free = None if self.goal.slower is None else self.seconds({}) * (1 + self.goal.slower) - self.seconds(self.chosen)
        best: tuple[float, str] | None = None
        for key, gain in gains.items():
            if gain <= 0 or (best is not None and gain / NOTHING < best[0]):
                continue
            row = self.left[key]
            time = self.costs.added(wide, floats, **({"tensor": row.name} if row.kind == "tensor" else {"layer": row.name}))
            worth = gain / max(time + self.bytes({key: row}), NOTHING)
            if (free is None or time <= free) and (best is None or worth > best[0]):
                best = worth, key
        return best[1] if best else None

    def narrow(self, progress: Progress) -> None:
        """Give back what the goal is met without, the dearest first."""
        if not self.goal.met_by(self.damage):
            return
        now = self.seconds(self.chosen) + self.bytes(self.chosen)
        without = {key: {k: row for k, row in self.chosen.items() if k != key} for key in self.chosen}
        saved = {key: now - self.seconds(rest) - self.bytes(rest) for key, rest in without.items()}
        tried = sorted((key for key in saved if saved[key] > 0), key=lambda key: (-saved[key], key))[:MOST_RETURNS]
        for index, key in enumerate(tried):
            progress(index, len(tried), f"{len(self.chosen)} of more than 8 bits")
            rest = {k: row for k, row in self.chosen.items() if k != key}
            damage = self.measure(rest)
            if self.goal.met_by(damage):
                self.chosen, self.damage = rest, damage


def _part(over: float, missed: float, share: float) -> float:
    """How much of what is too much a unit takes away; none of a bound that is kept."""
    return min(share, over) / over if over > 0 and missed > 0 else 0.0
