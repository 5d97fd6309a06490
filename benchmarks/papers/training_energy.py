"""Table 3: energy and CO2e of published trainings, beside the same product computed here."""

from ..carbon import carbon, training_energy
from .comparison import Comparison
from .ours import Measurements
from .printed import THESIS, number, rows_of_table, value

TABLE = "table3_training_energy"
INTENSITY = 0.437  # kg CO2e / kWh; the table's PUE is 1


def compare(measured: Measurements) -> Comparison:
    """Every row from its own GPUs, power and hours. Nothing of it can be measured here."""
    rows = []
    for cells in rows_of_table(TABLE):
        power, hours, gpus = value(cells["power_W_per_gpu"]), value(cells["hours"]), value(cells["gpus"])
        kwh, kilograms = number(cells["kWh"]), number(cells["kgCO2eq_thesis"])
        assert power and hours and gpus and kwh and kilograms
        energy = training_energy(power, hours, int(gpus))
        emitted = carbon(energy, INTENSITY)
        rows.append(
            {
                "model": cells["model"],
                "hardware": f"{cells['gpus']} x {cells['hardware']}, {cells['power_W_per_gpu']} W",
                "hours": cells["hours"],
                "kwh_printed": kwh.text,
                "kwh": round(energy, 6),
                "kg_co2e_printed": kilograms.text,
                "kg_co2e": round(emitted, 6),
                "agrees": kwh.agrees(energy) and kilograms.agrees(emitted),
            }
        )
    columns = {
        "model": "model",
        "hardware": "hardware",
        "hours": "hours",
        "kwh_printed": "kWh printed",
        "kwh": "computed",
        "kg_co2e_printed": "kg CO2e printed",
        "kg_co2e": "computed",
        "agrees": "agrees",
    }
    remark = f"computed: GPUs x W x h and {INTENSITY} kg CO2e per kWh, PUE 1; with other factors: vcompress carbon"
    return Comparison(3, "Energy and CO2e of published trainings", f"{THESIS}, Table 3", columns, rows, (remark,), words=2)
