"""`vcompress env`: what this machine is, what it lets a benchmark measure, and why not the rest."""

from .options import JsonOption
from .output import print_json, print_table, working


def env(json: JsonOption = False) -> None:
    """This machine, what can be measured on it, and why not the rest.

    Energy counters, temperatures, clock and governor, each with its value or the reason: permission, virtual machine, no sensor,
    package not installed. The machine is told as it goes into every record: neither its host nor its user.

    \b
    Examples: vcompress env
              vcompress env --json
    """
    from dataclasses import asdict

    with working():
        from ..benchmarks.energy import missing
        from ..benchmarks.environment import environment
        from ..benchmarks.sensors import is_virtual, sensors

        machine, seen, energy = environment(), sensors(), missing()
    if json:
        print_json({"environment": machine, "virtual": is_virtual(), "sensors": [asdict(sensor) for sensor in seen], "energy": energy or None})
        return
    print_table(("environment", "here"), [(key.replace("_", " "), value) for key, value in machine.items()], words=2)
    print()
    print_table(("to measure", "here", "why not"), [(s.name, s.value or "-", s.reason) for s in seen], words=3)
    print()
    print(f"vcompress bench --measure energy: {f'no figure, {energy}' if energy else 'measures CPU and memory'}")
