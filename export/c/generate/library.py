"""All files of an exported library: the generated ones, the kernels, an example, an Arduino sketch, a CMake project."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ....errors import VcompressError
from ..lowering import Lowered, lower
from ..memory import Memory, lay_out
from ..program import Program, TargetFacts
from ..streaming import Streaming, stream
from .constants import Constant, constants_of
from .network import Network

SKETCH = "vcompress"
SOURCES = f"{SKETCH}/src"
KERNELS = Path(__file__).parent.parent / "source"


@dataclass(frozen=True)
class Library:
    """A program for a target: multipliers, schedule, memory, text."""

    lowered: Lowered
    streaming: Streaming
    memory: Memory
    target: TargetFacts

    @classmethod
    def of(cls, program: Program, target: TargetFacts) -> "Library":
        """Raises VcompressError where something overflows a register or the target's address space."""
        streaming = stream(program)
        library = cls(lower(program, target.requantization), streaming, lay_out(streaming), target)
        library._check_address_space()
        return library

    @property
    def program(self) -> Program:
        """The program."""
        return self.lowered.program

    @cached_property
    def constants(self) -> dict[int, tuple[Constant, ...]]:
        """What each step keeps in flash."""
        return constants_of(self.lowered, self.target.packed)

    @cached_property
    def network(self) -> Network:
        """The generated text."""
        return Network(self.lowered, self.streaming, self.memory, self.constants)

    @property
    def constant_bytes(self) -> dict[str, int]:
        """Bytes of flash that constants take, by kind; those that are part of the kernels are not among them."""
        found: dict[str, int] = {}
        for constant in (constant for constants in self.constants.values() for constant in constants):
            for kind, size in constant.bytes.items():
                found[kind] = found.get(kind, 0) + size
        return found

    @property
    def state_bytes(self) -> int:
        """What is kept from frame to frame."""
        return self.memory.state_bytes + self.network.counter_bytes

    @property
    def arena_bytes(self) -> int:
        """What steps share within a frame, a multiple of four."""
        return -(-self.memory.arena.bytes // 4) * 4

    def _check_address_space(self) -> None:
        room = self.target.largest_object
        for index, constants in self.constants.items():
            for constant in constants:
                if (size := sum(constant.bytes.values())) > room:
                    name = self.program.steps[index].name
                    name = f"{name[0].upper()}{name[1:]}"
                    raise VcompressError(f"{name} has {size:,} bytes of constants, and an array has {room:,} at most on {self.target.name}; make it narrower.")
        if (size := max(self.state_bytes, self.arena_bytes)) > room:
            raise VcompressError(f"{self.program.name} keeps {size:,} bytes in one block, which has {room:,} at most on {self.target.name}; make it narrower.")

    def files(self) -> dict[str, str]:
        """File -> text."""
        generated = {
            "vcompress.h": self._header(),
            "vc_network.c": self.network.text(),
            "vc_weights.h": self._weights("declaration", '#ifndef VC_WEIGHTS_H\n#define VC_WEIGHTS_H\n\n#include "vc_steps.h"\n', ["", "#endif"]),
            "vc_weights.c": self._weights("definition", '#include "vc_weights.h"\n', []),
        }
        kernels = {path.name: path.read_text(encoding="utf-8") for path in KERNELS.glob("*.[ch]")}
        sources = {f"{SOURCES}/{name}": text for name, text in sorted((kernels | generated).items())}
        return {**sources, f"{SKETCH}/{SKETCH}.ino": self._sketch(), "example.c": self._example(), "CMakeLists.txt": self._cmake(sources)}

    def _weights(self, part: str, head: str, foot: list[str]) -> str:
        lines = [getattr(constant, part) for constants in self.constants.values() for constant in constants]
        return "\n".join([f"/* Constants of {self.program.name}. Made by vcompress; do not change it by hand. */", head, *lines, *foot, ""])

    def _header(self) -> str:
        program, mel = self.program, self.program.tensors[self.program.input]
        return f"""/* {program.name}: a mel goes in frame by frame, 16-bit samples come out.
 * Made by vcompress for {self.target.name} ({self.target.requantization}).
 *
 *   vc_mel_t mel[VC_MELS];
 *   int16_t samples[VC_MAX_SAMPLES];
 *   vc_init();
 *   while (next_frame(mel)) play(samples, vc_push(mel, samples));
 *   for (int n; (n = vc_flush(samples)) > 0;) play(samples, n);
 *
 * One utterance at a time; no memory is allocated, nothing is printed, there is no floating point.
 */
#ifndef VCOMPRESS_H
#define VCOMPRESS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define VC_NAME "{program.name}"
#define VC_SAMPLE_RATE {program.sample_rate}l
#define VC_HOP {program.hop} /* samples for each frame */
#define VC_MELS {mel.channels}
#define VC_MEL_SCALE {mel.scale!r} /* an integer of the mel is value / VC_MEL_SCALE + VC_MEL_ZERO_POINT, rounded and held within vc_mel_t */
#define VC_MEL_ZERO_POINT {mel.zero_point}
#define VC_MAX_SAMPLES {program.hop}
#define VC_LATENCY_FRAMES {self.streaming.latency} /* frames between the one that goes in and the first whose samples are all there */
#define VC_STATE_BYTES {self.state_bytes}l /* RAM that is kept from frame to frame */
#define VC_ARENA_BYTES {self.arena_bytes}l /* RAM that is used within a frame */

typedef int{mel.bits}_t vc_mel_t;

/* Begin an utterance. */
void vc_init(void);

/* One frame in; the number of samples that came out. After a flush it begins the next utterance. */
int vc_push(const vc_mel_t mel[VC_MELS], int16_t out[VC_MAX_SAMPLES]);

/* What is still to come of the utterance: call it until it gives 0. */
int vc_flush(int16_t out[VC_MAX_SAMPLES]);

#ifdef __cplusplus
}}
#endif

#endif
"""

    def _example(self) -> str:
        return f"""/* Raw integers of a mel on stdin ({self.program.name}: VC_MELS a frame), raw 16-bit samples on stdout. */
#include <stdio.h>

#include "vcompress.h"

int main(void)
{{
    vc_mel_t mel[VC_MELS];
    int16_t out[VC_MAX_SAMPLES];
    vc_init();
    while (fread(mel, sizeof mel, 1, stdin) == 1) fwrite(out, sizeof *out, (size_t)vc_push(mel, out), stdout);
    for (int n = vc_flush(out); n > 0; n = vc_flush(out)) fwrite(out, sizeof *out, (size_t)n, stdout);
    return 0;
}}
"""

    def _sketch(self) -> str:
        return f"""// {self.program.name} on an Arduino: VC_MELS integers for a frame come in over the serial line, its samples go back, two bytes each.
// A frame of which nothing comes for a second ends the utterance.
#include "src/vcompress.h"

static vc_mel_t mel[VC_MELS];
static int16_t samples[VC_MAX_SAMPLES];

void setup() {{
  Serial.begin(115200);
  vc_init();
}}

void loop() {{
  if (Serial.readBytes((char *)mel, sizeof mel) == sizeof mel) {{
    Serial.write((const uint8_t *)samples, 2 * vc_push(mel, samples));
  }} else {{
    for (int n; (n = vc_flush(samples)) > 0;) Serial.write((const uint8_t *)samples, 2 * n);
  }}
}}
"""

    def _cmake(self, sources: dict[str, str]) -> str:
        names = "\n  ".join(name for name in sources if name.endswith(".c"))
        return f"""cmake_minimum_required(VERSION 3.13)
project(vcompress C)

add_library(vcompress STATIC
  {names})
target_include_directories(vcompress PUBLIC {SOURCES})
set_target_properties(vcompress PROPERTIES C_STANDARD 99)

add_executable(example EXCLUDE_FROM_ALL example.c)
target_link_libraries(example vcompress)
set_target_properties(example PROPERTIES C_STANDARD 99)
"""
