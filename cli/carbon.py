"""`vcompress carbon`: energy and CO2e of a training, a synthesis or both."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import JsonOption
from .output import print_json

PowerOption = Annotated[float | None, typer.Option("--power", metavar="W", help="Power of one GPU (or other accelerator) while it trains, W.")]
HoursOption = Annotated[float | None, typer.Option("--hours", metavar="H", help="Duration of the training, h.")]
GpusOption = Annotated[int, typer.Option("--gpus", metavar="N", min=0, help="How many GPUs train.")]
CpuPowerOption = Annotated[float, typer.Option("--cpu-power", metavar="W", help="Power of the CPUs in all, W.")]
RamPowerOption = Annotated[float, typer.Option("--ram-power", metavar="W", help="Power of the memory in all, W.")]
PueOption = Annotated[
    float | None,
    typer.Option("--pue", metavar="X", help="Energy of the whole data centre over that of its computers.  [default: 1.0]", show_default=False),
]
IntensityOption = Annotated[
    float | None,
    typer.Option("--intensity", metavar="KG", help="kg CO2e per kWh of the grid.  [default: 0.437, the world's mean of 2018]", show_default=False),
]
JoulesOption = Annotated[
    float | None, typer.Option("--energy-per-second", metavar="J", help="Synthesis: J per second of audio, as vcompress bench measures it (energy).")
]
AudioOption = Annotated[float | None, typer.Option("--hours-of-audio", metavar="H", help="Synthesis: hours of audio that are made.")]


RunOption = Annotated[Path | None, typer.Option("--run", metavar="DIR", help="A run of train or qat: what it drew itself, as it was metered or modelled.")]


def carbon(
    run: RunOption = None,
    gpus: GpusOption = 1,
    power: PowerOption = None,
    hours: HoursOption = None,
    cpu_power: CpuPowerOption = 0.0,
    ram_power: RamPowerOption = 0.0,
    energy_per_second: JoulesOption = None,
    hours_of_audio: AudioOption = None,
    pue: PueOption = None,
    intensity: IntensityOption = None,
    json: JsonOption = False,
) -> None:
    """Energy and CO2e of a training, a synthesis or both.

    kWh = PUE x (CPU + RAM + GPUs x power) x hours, kg CO2e = intensity x kWh, as in Douwes 2023. A synthesis is given by its
    energy for one second of audio. With both, also the hours of audio that take as much energy as the training.

    \b
    Examples: vcompress carbon --run runs/hifigan-s/fp32/20260101-120000-000000
              vcompress carbon --gpus 4 --power 250 --hours 52 --pue 1.0 --intensity 0.437
              vcompress carbon --energy-per-second 1.8 --hours-of-audio 1000
    """
    from ..benchmarks import carbon as core
    from ..errors import VcompressError

    if run is not None:
        _tell(run, json)
        return
    for first, second, names in ((power, hours, "--power and --hours"), (energy_per_second, hours_of_audio, "--energy-per-second and --hours-of-audio")):
        if (first is None) != (second is None):
            raise VcompressError(f"Only one of {names} is given; give both.")
    if power is None and energy_per_second is None:
        raise VcompressError(
            "There is nothing to compute; give --run, --power and --hours of a training, or --energy-per-second and --hours-of-audio of a synthesis."
        )
    factors = core.factors()
    assumed = {name: factors[name].source for name, given in (("pue", pue), ("intensity", intensity)) if given is None}
    pue = factors["pue"].value if pue is None else pue
    intensity = factors["intensity"].value if intensity is None else intensity

    found: dict[str, dict[str, float]] = {}
    if power is not None and hours is not None:
        kwh = core.training_energy(power, hours, gpus, pue, cpu_power, ram_power)
        found["training"] = {"kwh": kwh, "kg_co2e": core.carbon(kwh, intensity)}
    if energy_per_second is not None and hours_of_audio is not None:
        kwh = core.synthesis_energy(energy_per_second, hours_of_audio, pue)
        found["synthesis"] = {"kwh": kwh, "kg_co2e": core.carbon(kwh, intensity)}
    even = None
    if power is not None and energy_per_second is not None:
        even = core.hours_until_training(found["training"]["kwh"], energy_per_second, pue)

    if json:
        print_json({**found, "hours_of_audio_that_equal_the_training": even, "pue": pue, "intensity": intensity, "assumed": assumed})
        return
    for what, figures in found.items():
        print(f"{what}: {figures['kwh']:,.6g} kWh, {figures['kg_co2e']:,.6g} kg CO2e")
    if even is not None:
        print(f"as much energy as the training: the synthesis of {even:,.4g} hours of audio")
    print(f"with PUE {pue:g} and {intensity:g} kg CO2e per kWh")
    for name, source in assumed.items():
        print(f"{name} assumed: {source}")


def _tell(folder: Path, json: bool) -> None:
    """What a run says of itself. Raises VcompressError where it says nothing."""
    from ..benchmarks.energy.account import words
    from ..errors import VcompressError
    from ..runtime.workspace import Workspace

    energy: Any = Workspace().open_run(folder).facts.get("energy")
    try:
        line = words(energy)
    except (TypeError, KeyError, ValueError, AttributeError):
        raise VcompressError(f"The run {folder} does not tell what it drew; only train and qat meter themselves.") from None
    if json:
        print_json(energy)
    else:
        print(line)
