"""`vcompress env`: what this machine is, what it lets a benchmark measure, and why not the rest."""

from .options import JsonOption
from .output import print_json, print_table, working


def env(json: JsonOption = False) -> None:
    """This machine, what can be measured on it, and why not the rest.

    Sources of energy, temperatures, clock and governor, each with what it tells or the reason why not: permission, virtual machine, no
    sensor, package not installed. The machine is told as it goes into every record: neither its host nor its user.

    \b
    Examples: vcompress env
              vcompress env --json
    """
    from dataclasses import asdict

    with working():
        from ..benchmarks.energy.sources import all_sources, useful, why_none
        from ..benchmarks.environment import environment
        from ..benchmarks.sensors import is_virtual, sensors

        sources = all_sources()
        meters, why = useful(sources, gpu=False), why_none(sources, gpu=False)
        machine, seen = environment(), sensors()
    if json:
        print_json({"environment": machine, "virtual": is_virtual(), "sensors": [asdict(sensor) for sensor in seen], "energy": None if meters else why})
        return
    print_table(("environment", "here"), [(key.replace("_", " "), value) for key, value in machine.items()], words=2)
    print()
    print_table(("to measure", "here", "why not"), [(s.name, s.value or "-", s.reason) for s in seen], words=3)
    print()
    if meters:
        print(f"vcompress bench --measure energy: {meters[0].covers}")
    else:
        print("vcompress bench --measure energy: no measured figure; --power-of TARGET models one by the power that a target's profile gives")
