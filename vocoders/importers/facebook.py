"""SING of facebookresearch/SING: `sing.th`, a whole pickled module, of which the tensors are read; or the state dict in its `sing.torch`."""

import torch
from torch import Tensor

from ...errors import VcompressError
from ...runtime.notes import NoteFrontEnd
from ..folding import State
from ..sing_network import SINGConfig
from .pickles import StandIn
from .public import Found, Importer, PublicFile, Said

HOP_LENGTH, MARGIN = 256, 2  # stride of its last layer, which no tensor tells; hops that are cut at either end of what it makes
VELOCITIES = {25: 0, 50: 1, 75: 2, 100: 4, 127: 5}  # velocity -> row: row 3 is of none
GENERATOR, DECODER = "sequence_generator", "decoder.layers"


def _rows(file: PublicFile, table: str) -> int:
    return file.shape(f"{GENERATOR}.{table}.weight")[0]


def config_of(file: PublicFile) -> SINGConfig:
    """Everything follows from shapes but the stride. Raises VcompressError where they make no SING."""
    layers = len([key for key in file.state if key.startswith(f"{GENERATOR}.lstm.weight_hh_l")])
    last = max((int(key.split(".")[2]) for key in file.state if key.startswith(f"{DECODER}.")), default=0)
    widths = tuple(file.shape(f"{GENERATOR}.{table}.weight")[1] for table in ("tables.0", "tables.1", "tables.2", "time_table"))
    context, kernel = file.shape(f"{DECODER}.0.weight"), file.shape(f"{DECODER}.{last}.conv_tr.weight")
    try:
        config = SINGConfig(
            instruments=_rows(file, "tables.0"),
            pitches=_rows(file, "tables.1"),
            velocities=len(VELOCITIES),
            embeddings=widths,  # type: ignore[arg-type]
            units=file.shape(f"{GENERATOR}.lstm.weight_hh_l0")[1],
            layers=layers,
            dimension=context[1],
            channels=context[0],
            rewrites=last // 2 - 1,
            context=context[2],
            kernel=kernel[2],
            hop_length=HOP_LENGTH,
        )
    except (ValueError, IndexError):
        raise VcompressError(f"{file.path} has layers that make no SING; copy the checkpoint again.") from None
    frames = _rows(file, "time_table") - config.lead
    if frames < 1 or _rows(file, "tables.2") != max(VELOCITIES.values()) + 1:
        raise VcompressError(f"{file.path} knows other steps or velocities than a SING of NSynth has; it cannot be imported.")
    return SINGConfig(**{**vars(config), "frames": frames})


def state_of(file: PublicFile, config: SINGConfig) -> State:
    """The tensors under the names and in the order that they have here. The window is known, and multiplied in here as there."""
    state = {key: value for key, value in file.state.items() if not key.startswith(f"{GENERATOR}.lstm.") and not key.endswith(".window")}
    for i in range(config.layers):
        there, here = f"{GENERATOR}.lstm", f"layers.{i}"
        for kind, name in (("weight_ih", "input.weight"), ("weight_hh", "cell.recurrent.weight")):
            file.shape(f"{there}.{kind}_l{i}")
            state[f"{here}.{name}"] = _gates(file.state[f"{there}.{kind}_l{i}"])[:, :, None]
        for kind in ("bias_ih", "bias_hh"):
            file.shape(f"{there}.{kind}_l{i}")
        state[f"{here}.input.bias"] = _gates(file.state[f"{there}.bias_ih_l{i}"] + file.state[f"{there}.bias_hh_l{i}"])
    velocities = file.state[f"{GENERATOR}.tables.2.weight"]
    state[f"{GENERATOR}.tables.2.weight"] = velocities[list(VELOCITIES.values())]
    for table in ("tables.0", "tables.1", "tables.2", "time_table"):  # a lookup is a product with a one-hot vector
        key = f"{GENERATOR}.{table}.weight"
        state[key] = state[key].T[:, :, None]
    state[f"{GENERATOR}.decoder.weight"] = state[f"{GENERATOR}.decoder.weight"][:, :, None]
    return state


def _gates(tensor: Tensor) -> Tensor:
    """torch's order (input, forget, candidate, output) to ours, where the candidate is last."""
    first, forget, candidate, output = tensor.chunk(4)
    return torch.cat([first, forget, output, candidate])


def layers(config: SINGConfig) -> dict[str, str]:
    """Paths of the layers there (with what `state_of` renamed) -> here."""
    paths = {f"{GENERATOR}.{there}": f"generator.tables.{i}" for i, there in enumerate(("tables.0", "tables.1", "tables.2", "time_table"))}
    for i in range(config.layers):
        paths |= {f"layers.{i}.{name}": f"generator.layers.{i}.{name}" for name in ("input", "cell.recurrent")}
    paths |= {f"{GENERATOR}.decoder": "generator.projection", f"{DECODER}.0": "decoder.context"}
    paths |= {f"{DECODER}.{2 * i + 2}": f"decoder.rewrites.{i}" for i in range(config.rewrites)}
    return paths | {f"{DECODER}.{2 * config.rewrites + 2}.conv_tr": "decoder.head"}


def _read(file: PublicFile, said: Said) -> Found:
    generator = vars(file.content).get("_modules", {}).get(GENERATOR) if isinstance(file.content, StandIn) else None
    inputs = vars(generator).get("inputs") if isinstance(generator, StandIn) else None
    if inputs not in (None, ["instrument", "pitch", "velocity"]):
        raise VcompressError(f"{file.path} is driven by {inputs}, not by instrument, pitch and velocity; it cannot be imported.")
    config = config_of(file)
    front_end = NoteFrontEnd(tuple(range(config.instruments)), tuple(range(config.pitches)), tuple(VELOCITIES), frames=config.frames)
    return Found(config, front_end, layers(config), state=state_of(file, config))


IMPORTERS = (Importer("facebookresearch/SING", "sing", lambda file: file.has(f"{GENERATOR}.tables.", f"{DECODER}."), _read),)
