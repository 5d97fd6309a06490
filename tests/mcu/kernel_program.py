"""A "vocoder" in C that runs a kernel for each frame of the mel, on constants of its own: to compare kernels on boards with their twins in numpy."""

import shutil
from pathlib import Path

import c_kernels
import numpy as np

from vcompress.export.c.reference import istft, kernels
from vcompress.export.c.reference.fixed_point import Q15
from vcompress.export.c.reference.kernels import InputFacts, clamp_of

SHAPES = (  # groups, outputs and inputs of a group, taps
    *((1, 5, 16, 3), (1, 3, 1, 1), (1, 9, 48, 1), (1, 4, 29, 2), (1, 2, 7, 7), (1, 6, 520, 1), (1, 8, 12, 5), (1, 4, 36, 2)),
    *((2, 3, 10, 2), (3, 4, 8, 1), (11, 1, 1, 7), (7, 1, 1, 1), (5, 2, 1, 3)),
)
HEADER = """#include <stdint.h>
#define VC_MELS 1
#define VC_MAX_SAMPLES {most}
typedef int8_t vc_mel_t;
void vc_init(void);
int vc_push(const vc_mel_t mel[VC_MELS], int16_t out[VC_MAX_SAMPLES]);
int vc_flush(int16_t out[VC_MAX_SAMPLES]);
"""


class KernelProgram:
    """Cases as they are added: C text, and what each has to give."""

    def __init__(self, seed: int = 5) -> None:
        self.draw = np.random.default_rng(seed)
        self.constants: list[str] = []
        self.cases: list[str] = []
        self.expected: list[np.ndarray] = []

    def integers(self, bits: int, shape: int | tuple[int, ...]) -> np.ndarray:
        """Any integers of a width, the extremes more often."""
        low, high = kernels.LIMITS[bits]
        return np.where(self.draw.random(shape) < 0.2, self.draw.choice([low, high], shape), self.draw.integers(low, high + 1, shape))

    def constant(self, array: np.ndarray, dtype: type) -> str:
        """VC_FLASH of an array in flash."""
        name = f"c{len(self.constants)}"
        values = ",".join(str(v) if v > -(2**31) else "(-2147483647-1)" for v in np.ravel(array).tolist())
        self.constants.append(f"static const {np.dtype(dtype).name}_t {name}[{np.size(array)}] VC_PROGMEM = {{{values}}};")
        return f"VC_FLASH({name})"

    def variable(self, name: str, array: np.ndarray, bits: int) -> str:
        """Text that declares an array in RAM and fills it."""
        flash = self.constant(array, c_kernels.DTYPES[bits])
        return f"static int{bits}_t {name}[{np.size(array)}]; for (i = 0; i < {np.size(array)}; i++) {name}[i] = vc_flash_s{bits}({flash}, i);"

    def case(self, text: str, call: str, bits: int, expected: np.ndarray) -> None:
        """A case whose `call` writes `y`."""
        n = len(expected)
        self.cases.append(f"{{ static int{bits}_t y[{n}]; {text} {call}; for (i = 0; i < {n}; i++) out[i] = y[i]; return {n}; }}")
        self.expected.append(expected.astype(np.int16))

    def add_layers(self, input_bits: int, output_bits: int, variant: str) -> None:
        """A convolution of each shape, depthwise ones among them, with factors of any size."""
        for groups, outputs, inputs, taps in SHAPES:
            outputs *= groups
            weights, bias = self.draw.integers(-127, 128, (outputs, taps, inputs)), self.draw.integers(-9000, 9000, outputs)
            of = InputFacts(input_bits, int(self.draw.integers(-128, 128)) if input_bits == 8 else 0)
            spread = np.sqrt(inputs * taps) * 70 * (74 if input_bits == 8 else 19_000)
            factor = kernels.LIMITS[output_bits][1] / spread * np.exp(self.draw.uniform(-4, 2, outputs))
            clamp = clamp_of(output_bits, int(self.draw.integers(-128, 128)) if output_bits == 8 else 0, None if self.draw.random() < 0.7 else -3)
            layer = kernels.layer("here", weights, bias, factor, of, clamp, variant, groups)
            rows = self.integers(input_bits, (taps, groups * inputs))
            self.case(*self._layer(layer, rows, input_bits, output_bits), output_bits, kernels.conv(layer, rows))

    def _layer(self, layer: kernels.Layer, rows: np.ndarray, input_bits: int, output_bits: int) -> tuple[str, str]:
        requantize = layer.requantize
        arrays = ((layer.weights, np.int8), (layer.bias, np.int32), (requantize.multiplier, np.int16 if isinstance(requantize, Q15) else np.int32))
        flash = ", ".join(self.constant(array, dtype) for array, dtype in (*arrays, (requantize.shift, np.uint8)))
        facts = (layer.inputs, layer.outputs, layer.groups, layer.taps, requantize.preshift, layer.clamp.zero_point, layer.clamp.low, layer.clamp.high)
        text = f"const vc_layer layer = {{{flash}, {', '.join(map(str, facts))}}}; const int{input_bits}_t *rows[{layer.taps}];"
        fill = f"{self.variable('x', rows, input_bits)} for (i = 0; i < {layer.taps}; i++) rows[i] = x + i * {layer.inputs};"
        kind = "depthwise" if layer.depthwise else "conv"
        return f"{text} {fill}", f"vc_{kind}_s{input_bits}_s{output_bits}_{requantize.name}(&layer, rows, y)"

    def add_elementwise(self) -> None:
        """Sums, products, other scales, tables."""
        for a_bits, b_bits, bits in ((8, 8, 8), (8, 16, 8), (16, 16, 16)):
            facts = [InputFacts(width, 7 if width == 8 else 0) for width in (a_bits, b_bits)]
            a, b, clamp = self.integers(a_bits, 33), self.integers(b_bits, 33), clamp_of(bits, -3 if bits == 8 else 0)
            inputs = f"{self.variable('a', a, a_bits)} {self.variable('b', b, b_bits)}"
            for factors in ((0.9, 0.4), (0.02, -1.7), (3.1, 0.004)):
                of = kernels.sum_of(*(f * 2.0 ** (bits - width) for f, width in zip(factors, (a_bits, b_bits), strict=True)), *facts, clamp)
                kind, values = ("vc_wide_sum" if of.wide else "vc_sum"), (of.offset, of.a_multiplier, of.b_multiplier, of.low, of.high, of.shift)
                text = f"const {kind} of = {{{', '.join(f'{v}ll' for v in values)}}}; {inputs}"
                self.case(text, f"vc_add_s{a_bits}_s{b_bits}_s{bits}(&of, a, b, y, 33)", bits, kernels.add(of, a, b))
            product = kernels.product_of(2.0 ** (bits - a_bits - b_bits + 1), *facts, clamp)
            values = (
                product.requantize.multiplier,
                facts[0].zero_point,
                facts[1].zero_point,
                clamp.zero_point,
                clamp.low,
                clamp.high,
                product.requantize.shift,
            )
            text = f"const vc_product of = {{{', '.join(map(str, values))}}}; {inputs}"
            self.case(text, f"vc_mul_s{a_bits}_s{b_bits}_s{bits}(&of, a, b, y, 33)", bits, kernels.mul(product, a, b))
        x, clamp = self.integers(16, 50), clamp_of(16)
        for slope in (1.0, 0.2):
            scale = kernels.scale_of(0.7, InputFacts(16), clamp, slope)
            values = (scale.above.multiplier, scale.below.multiplier, 0, 0, clamp.low, clamp.high, scale.above.shift, scale.below.shift)
            text = f"const vc_scale of = {{{', '.join(map(str, values))}}}; {self.variable('x', x, 16)}"
            self.case(text, "vc_rescale_s16_s16(&of, x, y, 50)", 16, kernels.rescale(scale, x))
        curve = np.rint(32767 * np.tanh(np.linspace(-3, 3, 257)))
        values = self.constant(curve.astype(int), np.int16)
        self.case(self.variable("x", x, 16), f"vc_table_s16_s16({values}, 8, x, y, 50)", 16, kernels.table_s16(curve, x))
        narrow, steps = self.integers(8, 50), self.integers(8, 256)
        values = self.constant(steps, np.int8)
        self.case(self.variable("x", narrow, 8), f"vc_table_s8_s8({values}, x, y, 50)", 8, kernels.table_s8(steps, narrow))

    def add_istft(self, n_fft: int, hop_length: int) -> None:
        """Two frames and a tail of the inverse STFT, of any magnitudes and directions."""
        of = istft.istft_of(n_fft, hop_length, 4e-4, 3e-4)
        bins, frames = n_fft // 2 + 1, of.overlap + 1
        log_magnitude, direction = self.draw.integers(-32768, 7000, (bins, frames)), self.integers(16, (2 * bins, frames))
        direction[:, 1] //= 500
        pcm = istft.inverse_stft(of, log_magnitude, direction)
        flash = f"{self.constant(of.sine, np.int16)}, {self.constant(of.window, np.int16)}"
        facts = f"{{{flash}, {of.shortest}ul, {of.log_multiplier}, {of.log_shift}, {of.log2_n_fft}, {hop_length}}}"
        flash_log, flash_direction = self.constant(log_magnitude.T, np.int16), self.constant(direction.T, np.int16)
        text = f"""const vc_istft of = {facts}; static int16_t l[{bins}], d[{2 * bins}]; static int32_t work[{n_fft}], overlap[{n_fft - hop_length}]; int t;
        for (t = 0; t < {frames}; t++) {{
            for (i = 0; i < {bins}; i++) l[i] = vc_flash_s16({flash_log}, (uint16_t)(t * {bins} + i));
            for (i = 0; i < {2 * bins}; i++) d[i] = vc_flash_s16({flash_direction}, (uint16_t)(t * {2 * bins} + i));
            vc_istft_frame(&of, l, d, work, overlap, y);
        }}"""
        self.case(text, "vc_istft_tail(&of, overlap, y)", 16, pcm[(frames - of.overlap // 2) * hop_length :][:hop_length])

    def write(self, folder: Path) -> None:
        """The library in C: kernels, header, cases."""
        folder.mkdir()
        for path in c_kernels.SOURCE.glob("vc_*"):
            if path.stem != "vc_steps":
                shutil.copy(path, folder)
        (folder / "vcompress.h").write_text(HEADER.format(most=max(map(len, self.expected))))
        functions = [f"static int case_{k}(int16_t *out) {{ uint16_t i; {text} }}" for k, text in enumerate(self.cases)]
        calls = [f"    case {k}: return case_{k}(out);" for k in range(len(self.cases))]
        includes = [f'#include "{name}"' for name in ("vcompress.h", "vc_kernels.h", "vc_istft.h")]
        entry = ["static uint8_t now;", "void vc_init(void) { now = 0; }", "int vc_flush(int16_t *out) { (void)out; return 0; }"]
        push = ["int vc_push(const vc_mel_t *mel, int16_t *out)", "{", "    (void)mel;", "    switch (now++) {", *calls, "    }", "    return 0;", "}"]
        (folder / "cases.c").write_text("\n".join([*includes, *self.constants, *functions, *entry, *push, ""]))
