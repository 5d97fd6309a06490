"""The network as C: one function for each rate, a call for each step, ticks and positions of rings between calls."""

from dataclasses import dataclass
from functools import cached_property

from ....errors import VcompressError
from ..lowering import Lowered
from ..memory import Home, Memory, Place
from ..program import Convolution, Curve, InverseSTFT, Joined, Product, Scaled, Step, Sum, Table, View
from ..reference.kernels import Layer
from ..streaming import Streaming, overlap
from .constants import Constant

TYPES = {8: "s8", 16: "s16"}


@dataclass(frozen=True)
class Network:
    """All that the C text of a network says."""

    lowered: Lowered
    streaming: Streaming
    memory: Memory
    constants: dict[int, tuple[Constant, ...]]

    # --- positions of rings ---

    @cached_property
    def positions(self) -> dict[tuple[int, int], int]:
        """(rate, rows) of each ring, as written and as read, -> number of the position that all such rings share."""
        found: list[tuple[int, int]] = []
        program = self.lowered.program
        for index, tensor in enumerate(program.tensors):
            if self.streaming.rows[index] > 1:
                found.append((tensor.rate, self.streaming.rows[index]))
        for step in program.steps:
            found += [(view.rate, self.capacity(view)) for view in step.inputs if self.capacity(view) > 1]
        return {key: number for number, key in enumerate(sorted(set(found)))}

    def capacity(self, view: View) -> int:
        """Rows of a ring as a view sees them."""
        return self.streaming.rows[view.tensor] * view.ratio

    @property
    def counter_bytes(self) -> int:
        """What ticks, ends and positions take."""
        return 8 * len(self.streaming.rates) + 2 * self._position_count

    @property
    def _position_count(self) -> int:
        return len(self.positions) + len(self.positions) % 2

    # --- text ---

    def text(self) -> str:
        """vc_network.c."""
        rates = self.streaming.rates
        functions = "\n\n".join(self._rate(level) for level in reversed(range(len(rates))))
        return f"""/* {self.lowered.program.name} as steps on rows. Made by vcompress; do not change it by hand. */
#include <stddef.h>
#include <string.h>

#include "vc_istft.h"
#include "vc_steps.h"
#include "vc_weights.h"
#include "vcompress.h"

enum {{ RATES = {len(rates)} }}; /* rows a frame: {", ".join(map(str, rates))} */

/* ticks of each rate so far, the tick at which the utterance ends, and where the newest row of each kind of ring lies */
static struct {{
    vc_time tick[RATES], end[RATES];
    uint16_t at[{max(self._position_count, 2)}];
}} now;
{_block("kept", self.memory.state_bytes)}{_block("arena", self.memory.arena.bytes)}
{functions}

void vc_init(void)
{{
    uint8_t rate;
    memset(&now, 0, sizeof now);
{"    memset(&kept, 0, sizeof kept);" if self.memory.state_bytes else ""}
    for (rate = 0; rate < RATES; rate++) now.end[rate] = VC_ENDLESS;
{self._fills()}}}

int vc_push(const vc_mel_t mel[VC_MELS], int16_t out[VC_MAX_SAMPLES])
{{
    if (now.end[0] != VC_ENDLESS) vc_init();
    return (int)(rate_1(mel, out) - out);
}}

int vc_flush(int16_t out[VC_MAX_SAMPLES])
{{
    if (now.end[0] == VC_ENDLESS) memcpy(now.end, now.tick, sizeof now.end);
    while (now.tick[0] < now.end[0] + VC_LATENCY_FRAMES) {{
        const int made = (int)(rate_1(NULL, out) - out);
        if (made > 0) return made;
    }}
    return 0;
}}
"""

    def _fills(self) -> str:
        """Zero points of the states that are not 0."""
        lines = ""
        for index in sorted(self.streaming.states):
            tensor = self.lowered.program.tensors[index]
            if tensor.zero_point:
                lines += f"    vc_fill_s8({_pointer(self.memory.tensors[index], 8)}, {tensor.zero_point}, {tensor.channels * self.streaming.rows[index]});\n"
        return lines

    def _rate(self, level: int) -> str:
        rates, program, memory = self.streaming.rates, self.lowered.program, self.memory
        rate = rates[level]
        steps = [(index, step) for index, step in enumerate(program.steps) if program.tensors[step.output].rate == rate]
        lines: list[str] = []
        if level == 0 and memory.tensors[program.input].home is Home.STATE:
            tensor = program.tensors[program.input]
            lines.append(f"    if (mel != NULL) memcpy({self._written(program.input)}, mel, {tensor.row_bytes});")
        due = None
        for index, step in steps:
            when = (self.streaming.delays[step.output], program.tensors[step.output].extra)
            if isinstance(step, InverseSTFT):
                lines += ["    }"] if due is not None else []
                due = None
                lines += self._inverse_stft(index, step)
                continue
            if when != due:
                lines += ["    }"] if due is not None else []
                lines.append(f"    if (vc_inside(n{_minus(when[0])}, end{_plus(when[1])})) {{")
                due = when
            lines += [f"        /* {step.name} */", *(f"        {line}" for line in self._step(index, step))]
            if step.output == program.output.tensor:
                lines.append(f"        out += {program.tensors[step.output].channels};")
        lines += ["    }"] if due is not None else []
        if level + 1 < len(rates):
            lines += [f"    for (i = 0; i < {rates[level + 1] // rate}; i++) out = rate_{rates[level + 1]}(out);"]
        lines += [f"    now.tick[{level}] = n + 1;"]
        lines += [
            f"    now.at[{number}] = (uint16_t)(now.at[{number}] == {rows - 1} ? 0 : now.at[{number}] + 1);"
            for (of, rows), number in self.positions.items()
            if of == rate
        ]
        counter = "    uint16_t i;\n" if level + 1 < len(rates) else ""
        body = "\n".join(lines)
        return f"""static int16_t *rate_{rate}({"const vc_mel_t *mel, " if level == 0 else ""}int16_t *out)
{{
    const vc_time n = now.tick[{level}], end = now.end[{level}];
{counter}{body}
    return out;
}}"""

    # --- rows ---

    def _bits(self, tensor: int) -> int:
        return self.lowered.program.tensors[tensor].bits

    def _written(self, tensor: int) -> str:
        """Where the newest row of a tensor is written."""
        row = _pointer(self.memory.tensors[tensor], self._bits(tensor))
        if self.streaming.rows[tensor] > 1:
            facts = self.lowered.program.tensors[tensor]
            row += f" + (size_t)now.at[{self.positions[facts.rate, self.streaming.rows[tensor]]}] * {facts.channels}"
        return row

    def _target(self, step: Step) -> str:
        """Where a step writes. A tensor that is changed in place lies where its last form does."""
        place, tensor = self.memory.tensors[step.output], step.output
        if place.home is Home.STATE and self.streaming.rows[tensor] == 1:  # a row of the ring that it becomes a row of
            program = self.lowered.program
            tensor = next(i for i, other in enumerate(self.memory.tensors) if other == place and self.streaming.rows[i] > 1)
            assert program.tensors[tensor].rate == program.tensors[step.output].rate
        return self._written(tensor)

    def _read(self, step: Step, view: View) -> str:
        """The one row that a step reads of a view."""
        (back,) = self.streaming.backs(step, view)
        place, bits = self.memory.tensors[view.tensor], self._bits(view.tensor)
        first = f" + {view.first}" if view.first else ""
        if place.home is Home.STATE and self.streaming.rows[view.tensor] == 1 and view.ratio == 1:  # in place, in the ring
            tensor = next(i for i, other in enumerate(self.memory.tensors) if other == place and self.streaming.rows[i] > 1)
            return self._written(tensor)
        capacity = self.capacity(view)
        if capacity == 1:
            return _pointer(place, bits) + first
        stride = self.lowered.program.tensors[view.tensor].channels // view.ratio
        at = f"now.at[{self.positions[view.rate, capacity]}]"
        return f"{_pointer(place, bits)} + (size_t){f'vc_position({at}, {back}, {capacity})' if back else at} * {stride}{first}"

    # --- steps ---

    def _step(self, index: int, step: Step) -> list[str]:
        program = self.lowered.program
        names = [constant.name for constant in self.constants[index]]
        target = program.tensors[step.output]
        out, width = self._target(step), TYPES[target.bits]
        widths = [TYPES[self._bits(view.tensor)] for view in step.inputs]
        match step:
            case Convolution():
                return self._convolution(index, step, names[0])
            case Table():
                return [f"vc_table_s8_{width}(VC_FLASH({names[0]}), {self._read(step, step.inputs[0])}, {out}, {target.channels});"]
            case Curve():
                bits = (len(step.values) - 1).bit_length() - 1
                return [f"vc_table_s16_{width}(VC_FLASH({names[0]}), {bits}, {self._read(step, step.inputs[0])}, {out}, {target.channels});"]
            case Scaled():
                call = f"vc_rescale_{widths[0]}_{width}(&facts, {self._read(step, step.inputs[0])}, {out}, {target.channels});"
                return _with_facts("vc_scale", names[0], call)
            case Sum() | Product():
                kind, facts = ("mul", "vc_product") if isinstance(step, Product) else ("add", "vc_wide_sum" if self._is_wide(index) else "vc_sum")
                reads = [self._read(step, view) for view in step.inputs]
                call = f"vc_{kind}_{widths[0]}_{widths[1]}_{width}(&facts, {reads[0]}, {reads[1]}, {out}, {target.channels});"
                return _with_facts(facts, names[0], call)
            case Joined():
                lines, at = [], 0
                for view in step.inputs:
                    lines.append(f"memcpy({out} + {at}, {self._read(step, view)}, {view.channels * target.bits // 8});")
                    at += view.channels
                return lines
        raise VcompressError(f"{step.name} is a {type(step).__name__}, which the C generator does not know; report this with the vocoder's configuration.")

    def _is_wide(self, index: int) -> bool:
        return bool(getattr(self.lowered.kernels[index], "wide", False))

    def _convolution(self, index: int, step: Convolution, name: str) -> list[str]:
        program, view = self.lowered.program, step.inputs[0]
        layer = self.lowered.kernels[index]
        assert isinstance(layer, Layer)
        source, target = program.tensors[view.tensor], program.tensors[step.output]
        width, variant = TYPES[source.bits], layer.requantize.name
        lines = ["{", "    vc_layer layer;", f"    const int{source.bits}_t *rows[{step.taps}];"]
        outside = self.memory.outside.get(index)
        if outside is None and step.taps == 1:
            lines.append(f"    rows[0] = {self._read(step, view)};")
        else:
            backs, capacity = self.streaming.backs(step, view), self.capacity(view)
            at = f"now.at[{self.positions[view.rate, capacity]}]" if capacity > 1 else "0"
            ring = _pointer(self.memory.tensors[view.tensor], source.bits) + (f" + {view.first}" if view.first else "")
            delay = self.streaming.view_delay(view)
            lines.append("    vc_ring ring;")
            lines.append(f"    ring.rows = {ring}, ring.stride = {source.channels // view.ratio}, ring.capacity = {capacity}, ring.at = {at};")
            lines.append(f"    ring.newest = n{_minus(delay)}, ring.end = end{_plus(view.extra)};")
            zero = f", {source.zero_point}" if source.bits == 8 else ""
            room = _pointer(outside, source.bits) if outside is not None else "NULL"
            lines.append(f"    vc_taps_{width}(rows, &ring, {step.taps}, {backs[0]}, {step.dilation}, {room}{zero}, {view.channels});")
        kind = "depthwise" if layer.depthwise else "conv"
        lines.append(f"    vc_read_layer_{variant}(&layer, VC_FLASH({name}));")
        lines.append(f"    vc_{kind}_{width}_{TYPES[target.bits]}_{variant}(&layer, rows, {self._target(step)});")
        return [*lines, "}"]

    def _inverse_stft(self, index: int, step: InverseSTFT) -> list[str]:
        sine, window = (constant.name for constant in self.constants[index])
        kernel = self.lowered.kernels[index]
        half = overlap(step) // 2
        fields = {key: getattr(kernel, key) for key in ("shortest", "log_multiplier", "log_shift", "log2_n_fft", "hop_length")}
        fields["shortest"] = f"{fields['shortest']}ul"
        reads = [_pointer(self.memory.tensors[view.tensor], 16) for view in step.inputs]
        spots = [_pointer(place[index], 32) for place in (self.memory.work, self.memory.overlap)]
        delay = self.streaming.view_delay(step.inputs[0]) + self.streaming.backs(step, step.inputs[0])[0]
        return [
            f"    if (vc_inside(n{_minus(delay)}, end{_plus(half)})) {{",
            "        vc_istft istft;",
            f"        istft.sine = VC_FLASH({sine}), istft.window = VC_FLASH({window});",
            "        " + ", ".join(f"istft.{key} = {value}" for key, value in fields.items()) + ";",
            f"        if (n{_minus(delay)} < end)",
            f"            vc_istft_frame(&istft, {reads[0]}, {reads[1]}, {spots[0]}, {spots[1]}, out);",
            "        else",
            f"            vc_istft_tail(&istft, {spots[1]}, out);",
            f"        if (n >= {delay + half}) out += {step.hop}; /* what comes before lies before the utterance */",
            "    }",
        ]


def _with_facts(kind: str, name: str, call: str) -> list[str]:
    return ["{", f"    {kind} facts;", f"    vc_read(&facts, VC_FLASH({name}), sizeof facts);", f"    {call}", "}"]


def _pointer(place: Place, bits: int) -> str:
    match place.home:
        case Home.MEL:
            return "mel"
        case Home.OUT:
            return "out"
        case Home.STATE:
            return f"kept.s{bits} + {place.offset // (bits // 8)}"
    return f"arena.s{bits} + {place.offset // (bits // 8)}"


def _block(name: str, size: int) -> str:
    """Memory that is read as integers of several widths."""
    if not size:
        return ""
    words = -(-size // 4)
    return f"static union {{ int32_t s32[{words}]; int16_t s16[{2 * words}]; int8_t s8[{4 * words}]; }} {name};\n"


def _minus(number: int) -> str:
    return f" - {number}" if number > 0 else f" + {-number}" if number < 0 else ""


def _plus(number: int) -> str:
    return _minus(-number)
