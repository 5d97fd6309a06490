"""A family of vocoders: one network in several sizes, and what goes with it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from ..runtime.front_ends import AnyFrontEnd
from ..runtime.mel import FrontEnd
from .forms import Form, feed_forward_forms
from .objectives import Network, Objective
from .plan import TrainingPlan

if TYPE_CHECKING:
    from .adversarial import Adversary
    from .checkpoint import Checkpoint
    from .segments import Batch
    from .training import Training


@dataclass(frozen=True)
class Family:
    """What a network file says about its network; the registry finds it by `name`.

    `config` is the dataclass that `network` is built from, `sizes` its presets, none where it comes by import alone; a config has `n_mels` and `hop_length`.
    `inputs(config, frames)`: zeros in the shapes of one call on `frames` frames. `objective(config, front_end)`: what the quick recipe
    and QAT minimise; `objective_name` is how cards call it. `sampler(config)`: settings for `runtime.samplers.make_sampler`. `plan`: the quick recipe's
    optimiser. `adversary(config, front_end)` and `adversarial_plan`: discriminators, losses and optimiser of the paper; None where the paper has none.

    `forms(network, config)`: the graphs that are calibrated, trained and exported; `compose(config, graphs)` makes of them what an objective
    calls. `training_forms(network, config)`: the graphs that `compose` takes, where the ones that are trained
    are not the ones that ship (flows train forward and ship the inverse): the same modules under the
    same paths, so that one scale table serves both; None where they are the same. `floats(config)`: paths of layers, and keys of inputs, that no
    recipe makes integer, and why. `matrices`: paths of the layers whose weights pruning makes zero, and how many matrices lie one above the
    other in each; empty: all but `floats`. `wide(config)`: tensors (keys of the scale table) that get 16 bits, and why. `fold_schedule(network,
    sampler)` makes constants of what the schedule fixes; None where there is no schedule. `paper_calls`: network calls of the paper's
    synthesis, where `sampler` makes fewer; the catalogue counts these. `paper_synthesis(network)`: what it counts where the paper's
    synthesis is another computation than the network's. `schedules`: noise schedules by their number of steps; `schedule_settings(betas)`:
    what one changes in `sampler`; None where there is no schedule. `calibration_frames`: how much of each clip a calibration goes through,
    where that is sample by sample; None for all of it. `front_end(config)`: what a vocoder of this configuration is given, before a corpus
    is seen: a mel, or notes; `fitted(config, front_end)`: the configuration for the front end that the corpus led to. `training(network,
    objective, plan, validation, checkpoint)`: the training of the paper, where it is more than the objective. `counted_frames`: of the
    synthesis that the catalogue counts. `narrows`: whether channels can be pruned.
    """

    name: str
    title: str
    config: type
    network: Callable[[Any], nn.Module]
    sizes: Mapping[str, Any]
    inputs: Callable[[Any, int], tuple[Tensor, ...]]
    objective: Callable[[Any, Any], Objective]
    objective_name: str
    sampler: Callable[[Any], dict[str, Any]]
    plan: TrainingPlan
    adversary: "Callable[[Any, FrontEnd], Adversary] | None" = None
    adversarial_plan: TrainingPlan | None = None
    forms: Callable[[nn.Module, Any], list[Form]] = feed_forward_forms
    compose: Callable[[Any, Mapping[str, Callable[..., Any]]], Network] = lambda config, graphs: graphs["network"]
    training_forms: Callable[[nn.Module, Any], list[Form]] | None = None
    floats: Callable[[Any], Mapping[str, str]] = lambda config: {"head": "an 8-bit waveform alone is 40 to 50 dB of noise"}
    wide: Callable[[Any], Mapping[str, str]] = lambda config: {}
    matrices: Mapping[str, int] = field(default_factory=dict)
    fold_schedule: "Callable[[nn.Module, Mapping[str, Any]], tuple[nn.Module, dict[str, Any]]] | None" = None
    paper_calls: int | None = None
    paper_synthesis: Callable[[nn.Module], Callable[..., Any]] | None = None
    schedules: Mapping[int, Sequence[float]] = field(default_factory=dict)
    schedule_settings: Callable[[Sequence[float]], dict[str, Any]] | None = None
    calibration_frames: int | None = None
    front_end: Callable[[Any], AnyFrontEnd] = lambda config: FrontEnd(hop_length=config.hop_length)
    fitted: Callable[[Any, AnyFrontEnd], Any] = lambda config, front_end: config
    counted_frames: int = 64
    narrows: bool = True
    training: "Callable[[nn.Module, Objective, TrainingPlan, list[Batch], Checkpoint], Training] | None" = None

    @property
    def draws_samples(self) -> bool:
        """Whether each sample is drawn given those before it, so that one other draw makes another waveform."""
        return self.calibration_frames is not None
