"""WaveRNN of fatchord/WaveRNN: `latest_weights.pyt` or `NAME_weights.pyt`, a state dict, with the `hparams.py` it was trained with, which is not run."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import VcompressError
from ...runtime.logistic import MIXTURES
from ...runtime.mel import FrontEnd
from ..checkpoint import expected_shapes
from ..folding import State
from ..wavernn_gru import PARTS, WaveRNNGRUConfig
from .public import Found, Importer, PublicFile, Said
from .settings import Settings

# What the repository's own hparams.py says of the mel and of the waveform, for files of which a user says that they were trained with it.
DEFAULTS = {
    "sample_rate": 22050,
    "n_fft": 2048,
    "hop_length": 275,
    "win_length": 1100,
    "fmin": 40,
    "min_level_db": -100,
    "mu_law": True,
    "peak_norm": False,
}
IGNORED = ("step", ".num_batches_tracked")
EPSILON = 1e-5  # of its batch norms
NORMS = ("weight", "bias", "running_mean", "running_var")


def config_of(file: PublicFile) -> WaveRNNGRUConfig:
    """Everything but mu-law follows from shapes. Raises VcompressError where they make no such network."""
    (channels, n_mels, kernel), (classes, hidden) = _shape(file, "upsample.resnet.conv_in.weight", 3), _shape(file, "fc3.weight", 2)
    ups = sorted(int(index) for index in _numbers(file, "upsample.up_layers."))
    taps = [_shape(file, f"upsample.up_layers.{index}.weight", 4)[3] for index in ups]
    part = _shape(file, "I.weight", 2)[1] - n_mels - 1
    if kernel < 3 or any(k % 2 == 0 for k in (kernel, *taps)) or part < 1 or not taps or min(taps) < 3:
        raise VcompressError(f"{file.path} has layers of no network of fatchord/WaveRNN (conv_in of {kernel}, up_layers of {taps}); it cannot be imported.")
    raw = classes.bit_count() == 1 and 2 <= classes <= 1 << 16
    if not raw and classes != 3 * MIXTURES:
        raise VcompressError(
            f"{file.path} has {classes} outputs, neither a power of two (RAW) nor {3 * MIXTURES} (MOL: a mixture of {MIXTURES}); it cannot be imported."
        )
    return WaveRNNGRUConfig(
        mode="RAW" if raw else "MOL",
        bits=classes.bit_length() - 1 if raw else 16,
        units=_shape(file, "rnn1.weight_hh_l0", 2)[1],
        hidden=hidden,
        channels=channels,
        blocks=len(_numbers(file, "upsample.resnet.layers.")),
        part=part,
        pad=kernel // 2,
        upsample_factors=tuple(k // 2 for k in taps),
        n_mels=n_mels,
    )


def _shape(file: PublicFile, key: str, axes: int) -> tuple[int, ...]:
    shape = file.shape(key)
    if len(shape) != axes or 0 in shape:
        raise VcompressError(f"{file.path} has a {key} of {list(shape)}, where such a network has {axes} axes; copy the checkpoint again.")
    return shape


def _numbers(file: PublicFile, prefix: str) -> set[str]:
    """What of names stands behind the prefix up to the next dot, where it is a number."""
    found = (key.removeprefix(prefix).partition(".")[0] for key in file.state if key.startswith(prefix))
    return {index for index in found if index.isascii() and index.isdecimal() and len(index) < 6}


def public_shapes(config: WaveRNNGRUConfig, outputs: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor of the public network but IGNORED, and its shape. `outputs`: of its ResNet, of which it reads four parts."""
    resnet, units, hidden, c = "upsample.resnet", config.units, config.hidden, config.channels
    yield f"{resnet}.conv_in.weight", (c, config.n_mels, 2 * config.pad + 1)
    yield from ((f"{resnet}.batch_norm.{name}", (c,)) for name in NORMS)
    for i in range(config.blocks):
        for n in (1, 2):
            yield f"{resnet}.layers.{i}.conv{n}.weight", (c, c, 1)
            yield from ((f"{resnet}.layers.{i}.batch_norm{n}.{name}", (c,)) for name in NORMS)
    yield from ((f"{resnet}.conv_out.weight", (outputs, c, 1)), (f"{resnet}.conv_out.bias", (outputs,)))
    yield from ((f"upsample.up_layers.{2 * i + 1}.weight", (1, 1, 1, 2 * s + 1)) for i, s in enumerate(config.upsample_factors))
    for name, inputs in (("rnn1", units), ("rnn2", units + config.part)):
        yield from ((f"{name}.weight_{matrix}_l0", (3 * units, columns)) for matrix, columns in (("ih", inputs), ("hh", units)))
        yield from ((f"{name}.bias_{matrix}_l0", (3 * units,)) for matrix in ("ih", "hh"))
    linears = {"I": (units, config.n_mels + config.part + 1), "fc1": (hidden, units + config.part), "fc2": (hidden, hidden + config.part)}
    for name, shape in (linears | {"fc3": (sum(config.heads.values()), hidden)}).items():
        yield from ((f"{name}.weight", shape), (f"{name}.bias", shape[:1]))


def check_shapes(state: State, config: WaveRNNGRUConfig, source: str) -> None:
    """Raises VcompressError that names the first tensor that is missing, of another shape, or has no place."""
    outputs = state["upsample.resnet.conv_out.weight"].shape[0] if "upsample.resnet.conv_out.weight" in state else 4 * config.part
    expected = dict(public_shapes(config, max(outputs, 4 * config.part)))
    for key, shape in expected.items():
        if key not in state:
            raise VcompressError(f"{source} has no {key}, which such a network has; copy the checkpoint again.")
        if tuple(state[key].shape) != shape or not state[key].is_floating_point():
            found = f"{key} of {list(state[key].shape)} as {state[key].dtype}"
            raise VcompressError(f"{source} has a {found}, where its other layers ask for floats of {list(shape)}; it cannot be imported.")
    for key in state:
        if key not in expected:
            raise VcompressError(f"{source} has {key}, which has no place in a network of fatchord/WaveRNN; it cannot be imported.")


def converted(state: State, config: WaveRNNGRUConfig, source: str) -> State:
    """The network's tensors under the names they have here: norms folded, layers that read several things apart, gates in the order u, r, e."""
    weights: dict[str, Tensor] = {}

    def put(path: str, weight: Tensor, bias: Tensor | None = None) -> None:
        weights[f"{path}.weight"] = (weight if weight.ndim > 2 else weight.unsqueeze(-1)).float().contiguous()
        if bias is not None:
            weights[f"{path}.bias"] = bias.float().contiguous()

    resnet, part, units = "upsample.resnet", config.part, config.units
    folded = {"stem": ("conv_in", "batch_norm")}
    for i in range(config.blocks):
        folded |= {f"blocks.{i}.{name}": (f"layers.{i}.conv{n}", f"layers.{i}.batch_norm{n}") for n, name in ((1, "first"), (2, "second"))}
    for here, (conv, norm) in folded.items():
        put(f"conditioner.{here}", *_without_norm(state, f"{resnet}.{conv}", f"{resnet}.{norm}", source))
    put("conditioner.output", state[f"{resnet}.conv_out.weight"][: 4 * part], state[f"{resnet}.conv_out.bias"][: 4 * part])
    for i, factor in enumerate(config.upsample_factors):
        put(f"conditioner.upsampler.{i}", _repeated(state[f"upsample.up_layers.{2 * i + 1}.weight"], factor))
    first, bands, of_part = state["I.weight"].split([1, config.n_mels, part], 1)
    put("step.sample", first)
    put("step.mel", bands)
    parts = {"input": (of_part, state["I.bias"])}
    for name in ("rnn1", "rnn2"):
        given, recurrent = (tuple(_gates(state[f"{name}.{kind}_{matrix}_l0"]) for kind in ("weight", "bias")) for matrix in ("ih", "hh"))
        put(f"step.{name}.recurrent", *recurrent)
        if name == "rnn1":
            put("step.rnn1.input", *given)
        else:
            put("step.rnn2.input", given[0][:, :units])
            parts["rnn2"] = given[0][:, units:], given[1]
    for n, columns in ((1, units), (2, config.hidden)):
        put(f"step.hidden{n}", state[f"fc{n}.weight"][:, :columns])
        parts[f"hidden{n}"] = state[f"fc{n}.weight"][:, columns:], state[f"fc{n}.bias"]
    for name in PARTS:
        put(f"conditioner.projections.{name}", *parts[name])
    rows = list(config.heads.values())
    for name, weight, bias in zip(config.heads, state["fc3.weight"].split(rows), state["fc3.bias"].split(rows), strict=True):
        put(f"step.heads.{name}", weight, bias)
    return weights


def _without_norm(state: State, conv: str, norm: str, source: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what it and the batch norm behind it do with its running statistics."""
    gain, bias, mean, variance = (state[f"{norm}.{name}"].double() for name in NORMS)
    if (variance < 0).any():
        raise VcompressError(f"{source} has negative variances in {norm}.running_var; copy the checkpoint again.")
    factor = gain / torch.sqrt(variance + EPSILON)
    return state[f"{conv}.weight"].double() * factor[:, None, None], bias - mean * factor


def _repeated(taps: Tensor, factor: int) -> Tensor:
    """The transposed convolution (1, 1, 1, 3 factor) that does what repeating each frame and (1, 1, 1, 2 factor + 1) taps do."""
    ones = torch.ones(1, 1, 1, factor, dtype=torch.float64)
    return F.conv2d(F.pad(taps.double().flip(3), (factor - 1, factor - 1)), ones)


def _gates(rows: Tensor) -> Tensor:
    """Rows r, z, n of torch's GRU as z (here u), r, n (here e)."""
    reset, update, new = rows.chunk(3)
    return torch.cat([update, reset, new])


def mel_of(settings: Settings, n_mels: int) -> FrontEnd:
    """Magnitudes of centred frames, Slaney bands up to half the rate, (20 log10 S - min_level_db) / -min_level_db, clipped to [0, 1]."""
    rate, lowest = settings.whole("sample_rate"), settings.real("min_level_db")
    settings.must("fmax", rate / 2, "its code has bands up to half the sample rate")
    settings.must("num_mels", n_mels, f"the network takes {n_mels}")
    for key in ("preemphasize", "symmetric_mels"):
        settings.must(key, False, "its mel is another then")
    if lowest >= 0:
        raise VcompressError(f"{settings.source} has min_level_db {lowest:g}, which has to be negative; give the configuration of the training.")
    sizes = (settings.whole("n_fft"), settings.whole("hop_length"), n_mels, settings.real("fmin"), rate / 2)
    window, peak = settings.whole("win_length"), 1.0 if _truth(settings, "peak_norm", False) else None
    return FrontEnd(rate, *sizes, lowest / 20, 0.0, win_length=window, power=1, logarithm="log10", log_floor=1e-5, clip=True, peak=peak)


def _truth(settings: Settings, key: str, default: bool | None = None) -> bool:
    value = settings.values.get(key, default)
    if key in settings.computed or not isinstance(value, bool):
        raise VcompressError(f"{settings.source} does not say {key} as True or False; give the configuration that the model was trained with.")
    return value


def _settings(file: PublicFile, said: Said) -> Settings:
    """What the user says: a file, the rate, or that it was trained with the repository's own hparams.py."""
    if said.config is None and not said.public_defaults:
        raise VcompressError(
            f"{file.path} does not hold its mel, sample rate and mu-law; give its hparams.py with --config, or --public-defaults where it was trained "
            f"with that of the repository as it is ({DEFAULTS['sample_rate']} Hz)."
        )
    given = said.config or Settings({}, "the hparams.py of fatchord/WaveRNN")
    values = {**(DEFAULTS if said.public_defaults else {}), **{key: value for key, value in given.values.items() if value is not None}}
    if said.sample_rate is not None:
        given.must("sample_rate", said.sample_rate, f"--sample-rate is {said.sample_rate}")
        values["sample_rate"] = said.sample_rate
    return Settings(values, given.source, given.computed)


def _read(file: PublicFile, said: Said) -> Found:
    config = config_of(file)
    state = {key: value for key, value in file.state.items() if not key.endswith(IGNORED)}
    check_shapes(state, config, str(file.path))
    settings = _settings(file, said)
    settings.must("voc_mode", config.mode, f"{file.path} has the outputs of {config.mode}")
    for key, value in {
        "hop_length": config.hop_length,
        "voc_rnn_dims": config.units,
        "voc_fc_dims": config.hidden,
        "voc_pad": config.pad,
        **({"bits": config.bits} if config.mode == "RAW" else {}),
    }.items():
        settings.must(key, value, f"{file.path} has {value}")
    if "voc_upsample_factors" in settings and settings.wholes("voc_upsample_factors") != config.upsample_factors:
        raise VcompressError(f"{settings.source} has other voc_upsample_factors than {file.path}, {list(config.upsample_factors)}; give its own hparams.py.")
    if config.mode == "RAW":
        config = WaveRNNGRUConfig(**{**vars(config), "mu_law": _truth(settings, "mu_law")})
    step = file.state.get("step")
    steps = int(step) if step is not None and step.numel() == 1 else 0
    weights = converted(state, config, str(file.path))
    here = {key.rpartition(".")[0]: key.rpartition(".")[0] for key in expected_shapes("wavernngru", config, True)}
    return Found(config, mel_of(settings, config.n_mels), here, steps, weights)


def _recognises(file: PublicFile) -> bool:
    return file.has("rnn1.", "rnn2.", "I.", "fc3.", "upsample.resnet.")


IMPORTERS = (Importer("fatchord/WaveRNN", "wavernngru", _recognises, _read, ("config", "sample_rate", "public_defaults")),)
